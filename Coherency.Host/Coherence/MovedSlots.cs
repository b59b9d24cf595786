namespace Coherency.Host.Coherence;

/// <summary>
/// How many slots the present thread has moved, for whoever knows on whose behalf it did. A slot that a change moves in three
/// tables counts three times, and once for its beginning and end together.
/// </summary>
internal static class MovedSlots
{
    [ThreadStatic]
    private static int t_count;

    public static void CountOfThread(int slots) => t_count += slots;

    /// <summary>Those since the last time.</summary>
    public static int TakeOfThread()
    {
        int count = t_count;
        if (count != 0)
        {
            t_count = 0;
        }

        return count;
    }
}
