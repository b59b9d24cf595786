namespace Coherency.Tests;

/// <summary>How much the tests that can run for long do: a little in eng/test, all of it in eng/soak.</summary>
internal static class Soak
{
    /// <summary>eng/soak sets the environment variable COHERENCY_SOAK.</summary>
    public static bool IsOn { get; } = Environment.GetEnvironmentVariable("COHERENCY_SOAK") == "1";

    public static int Count(int test, int soak) => IsOn ? soak : test;
}
