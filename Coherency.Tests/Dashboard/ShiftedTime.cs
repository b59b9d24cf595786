namespace Coherency.Tests.Dashboard;

/// <summary>The clock of this machine, moved forward by as much as a test likes.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    private TimeSpan _shift;

    public void Advance(TimeSpan time) => _shift += time;

    public override long GetTimestamp() => base.GetTimestamp() + (long)(_shift.TotalSeconds * TimestampFrequency);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _shift;
}
