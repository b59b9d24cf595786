namespace Coherency.Guest.Fuse;

/// <summary>A point in time that a wait may not pass; -1 milliseconds for none.</summary>
internal readonly struct Deadline(int timeoutMs)
{
    private readonly long _ticksMs = timeoutMs < 0 ? long.MaxValue : Environment.TickCount64 + timeoutMs;

    /// <summary>Milliseconds left, -1 when there is no limit: what wait calls take.</summary>
    public int RemainingMs => _ticksMs == long.MaxValue ? -1 : (int)Math.Max(0, _ticksMs - Environment.TickCount64);
}
