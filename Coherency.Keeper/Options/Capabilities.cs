namespace Coherency.Keeper.Options;

/// <summary>What managers of virtual machines ask for before they start the program (QEMU docs/interop/vhost-user.json).</summary>
internal static class Capabilities
{
    /// <summary>
    /// As virtiofsd 1.14 prints it, but for <c>migrate-precopy</c>: with it a manager would begin migrations, which QEMU then refuses.
    /// </summary>
    public const string Json = """
        {
          "type": "fs",
          "features": [
            "posix-acl-negotiation-mode",
            "security-label-negotiation-mode",
            "separate-options"
          ]
        }

        """;
}
