namespace Coherency.Bench.Contenders;

/// <summary>A daemon to measure.</summary>
/// <param name="Command">
/// With <c>{dir}</c> and either <c>{socket}</c>, for a daemon of one guest, or <c>{guests}</c>, which becomes
/// <c>--guest NAME=SOCKET</c> for each. <c>{queues}</c> is the number of request queues; a command without it has one.
/// </param>
/// <param name="VersionCommand">Prints its version; null when nobody knows how.</param>
/// <param name="Attaches">The guests say that they consult the version table, so that changes by others move slots of theirs.</param>
internal sealed record Contender(string Name, string Command, string? VersionCommand = null, bool Attaches = false)
{
    /// <summary>One process for all guests; otherwise each guest has a daemon of its own on the same tree.</summary>
    public bool ServesManyGuests => Command.Contains("{guests}", StringComparison.Ordinal);

    /// <summary>The name as part of a path.</summary>
    public string FileName => Name.Replace(' ', '-').Replace('/', '-');

    private bool TakesQueues => Command.Contains("{queues}", StringComparison.Ordinal);

    /// <summary>Why it cannot be measured so; null when it can.</summary>
    public string? RefusalOf(Topology topology) =>
        topology.Queues > 1 && !TakesQueues ? "it has one request queue" : null;

    /// <summary>What a reader must know of how it was measured; null for nothing.</summary>
    public string? RemarkOn(Topology topology) =>
        topology.Guests > 1 && !ServesManyGuests ? $"{topology.Guests} daemons on one tree, one for each guest" : null;

    /// <summary>
    /// Is there a difference to the same daemon without the table? With one guest there is none: nobody else's cache has to
    /// learn of a change, and this client caches nothing itself.
    /// </summary>
    public bool IsWorthMeasuring(Topology topology) => !Attaches || topology.Guests > 1;

    /// <summary>The first line of what the version command prints.</summary>
    public string ReadVersion()
    {
        string[] words = (VersionCommand ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 0 && ChildProcess.Run(words[0], words[1..]).Output.Split('\n')[0] is { Length: > 0 } line ? line : "not told";
    }
}

/// <summary>Who is measured, and who would have been but is not installed.</summary>
/// <param name="Missing">With the reason where a version would stand.</param>
internal sealed record ContenderSet(IReadOnlyList<Contender> Present, IReadOnlyList<Results.ContenderDescription> Missing);

/// <summary>How many guests work at the same time, and over how many request queues each; one thread drives each queue.</summary>
internal readonly record struct Topology(int Queues, int Guests)
{
    public static readonly Topology Single = new(Queues: 1, Guests: 1);

    /// <summary>Threads of the client that drive queues.</summary>
    public int Drivers => Queues * Guests;

    public override string ToString() => this switch
    {
        { Drivers: 1 } => "one guest",
        { Guests: 1 } => $"one guest with {Queues} queues",
        { Queues: 1 } => $"{Guests} guests",
        _ => $"{Guests} guests with {Queues} queues each",
    };
}
