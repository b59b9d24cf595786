using System.Runtime.CompilerServices;

namespace Coherency.Tests;

/// <summary>What comes to be in its own time, which on a busy machine is long.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Waits until it is so.</summary>
    public static async Task IsTrueAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        DateTime end = DateTime.UtcNow + Patience;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < end, $"after {Patience} still not: {expression}");
            await Task.Delay(Pause);
        }
    }
}
