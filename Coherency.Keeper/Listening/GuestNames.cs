namespace Coherency.Keeper.Listening;

/// <summary>What a guest is called, of which the command line says nothing.</summary>
internal static class GuestNames
{
    private const string LibvirtFolder = "domain-";
    private const string LibvirtSuffix = "-fs";

    /// <summary>
    /// libvirt's <c>…/domain-3-web/fs0-fs.sock</c> is <c>web-fs0</c>, and stays that when the machine starts again. Any other socket's
    /// name gets this process's id.
    /// </summary>
    /// <param name="socketPath">Empty when the socket has no name.</param>
    public static string Of(string socketPath, int processId)
    {
        string name = Path.GetFileNameWithoutExtension(socketPath);
        string folder = Path.GetFileName(Path.GetDirectoryName(socketPath) ?? "");
        if (folder.StartsWith(LibvirtFolder, StringComparison.Ordinal) && folder.Split('-', 3) is [_, _, { Length: > 0 } machine])
        {
            return $"{machine}-{(name.EndsWith(LibvirtSuffix, StringComparison.Ordinal) ? name[..^LibvirtSuffix.Length] : name)}";
        }

        return $"{(name.Length > 0 ? name : "guest")}-{processId}";
    }
}
