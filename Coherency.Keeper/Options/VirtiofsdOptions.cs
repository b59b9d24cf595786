using Coherency.Core.Attaching;

namespace Coherency.Keeper.Options;

/// <summary>Which server serves the guest.</summary>
internal enum JoinChoice
{
    /// <summary>The host's if it answers, otherwise one of its own.</summary>
    Auto,

    /// <summary>The host's, or none.</summary>
    Always,

    /// <summary>One of its own.</summary>
    Never,
}

/// <summary>What a command line of virtiofsd asks for, with virtiofsd's defaults.</summary>
internal sealed record VirtiofsdOptions
{
    public required string SharedDir { get; init; }

    /// <summary>What the server is told; name and directory are known later.</summary>
    public required AttachRequest Guest { get; init; }

    public string? SocketPath { get; init; }

    public string? SocketGroup { get; init; }

    /// <summary>A listening socket that was inherited.</summary>
    public int? Fd { get; init; }

    /// <summary>Descriptors that a server of its own may have open; null for as many as can be, 0 to change nothing.</summary>
    public ulong? RlimitNofile { get; init; }

    /// <summary>namespace, chroot or none; null when it was not said.</summary>
    public string? Sandbox { get; init; }

    /// <summary>kill, trap, log or none; null when it was not said.</summary>
    public string? Seccomp { get; init; }

    /// <summary>+ or -, and the name of a capability, separated by colons; null when it was not said.</summary>
    public string? Modcaps { get; init; }

    public LineSeverity LogLevel { get; init; } = LineSeverity.Info;

    public bool Syslog { get; init; }

    /// <summary>Options that are understood and cannot be carried out, with the reason.</summary>
    public IReadOnlyList<string> Refusals { get; init; } = [];

    /// <summary>What is said about the command line before anything else.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    public JoinChoice Join { get; init; }

    /// <summary>Which of the host's servers.</summary>
    public string Instance { get; init; } = "default";
}
