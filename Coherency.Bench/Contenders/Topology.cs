namespace Coherency.Bench.Contenders;

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
