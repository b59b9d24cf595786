namespace Coherency.Host.Coherence.Changes;

/// <summary>Who made a change.</summary>
public readonly record struct ChangeActor
{
    public ChangeActorKind Kind { get; init; }

    /// <summary>The client's view, where it is a client.</summary>
    public ShareView? View { get; init; }

    /// <summary>Of a program of the host; 0 for one of another PID namespace.</summary>
    public int ProcessId { get; init; }

    /// <summary>
    /// The client's name; of a program of the host its command, empty if it had gone by the time; of the administration what it
    /// calls itself; of the daemon why.
    /// </summary>
    public string? Name { get; init; }

    /// <param name="view">Null for a client that is told of nothing.</param>
    public static ChangeActor Client(ShareView? view) =>
        new() { Kind = ChangeActorKind.Client, View = view, Name = view?.Name ?? string.Empty };

    public static ChangeActor Host(int processId, string command) =>
        new() { Kind = ChangeActorKind.Host, ProcessId = processId, Name = command };

    public static ChangeActor Administration(string name) => new() { Kind = ChangeActorKind.Administration, Name = name };

    public static ChangeActor Daemon(string reason) => new() { Kind = ChangeActorKind.Daemon, Name = reason };
}

/// <summary>What kind of actor it is.</summary>
public enum ChangeActorKind : byte
{
    /// <summary>Not told: a program of the host, or a client (where changes are noticed by inotify).</summary>
    Unknown,

    /// <summary>A guest or a mount.</summary>
    Client,

    /// <summary>A program of the host, beside the daemon.</summary>
    Host,

    Administration,

    /// <summary>The daemon itself, for the sake of its promise.</summary>
    Daemon,
}
