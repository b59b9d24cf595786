namespace Coherency.Tests;

/// <summary>Tests that measure time, or need the whole machine: they run one after the other, and nothing beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TimedTests
{
    public const string Name = "timed";
}
