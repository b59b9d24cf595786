using System.Diagnostics;

namespace Coherency.Host.Faults;

/// <summary>Keeps a client from filling the log: so many lines a second about one thing, the others are counted.</summary>
internal sealed class LogLimit
{
    private const int LinesPerSecond = 16;

    private readonly Lock _lock = new();
    private long _second;
    private int _lines;
    private long _unsaid;

    /// <summary>True when a line may be written; <paramref name="unsaid"/> is how many were not since the last one.</summary>
    public bool Allows(out long unsaid)
    {
        lock (_lock)
        {
            long second = Stopwatch.GetTimestamp() / Stopwatch.Frequency;
            if (second != _second)
            {
                _second = second;
                _lines = 0;
            }

            if (_lines == LinesPerSecond)
            {
                unsaid = ++_unsaid;
                return false;
            }

            _lines++;
            unsaid = _unsaid;
            _unsaid = 0;
            return true;
        }
    }

    /// <summary>A new client starts afresh.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _lines = 0;
            _unsaid = 0;
        }
    }
}
