using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Coherency.Tests.Hostile;

/// <summary>Keeps the daemon's log so that a test can ask what it said.</summary>
internal sealed class CollectedLog : ILoggerFactory, ILogger
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<string> _lines = [];

    /// <summary>A line that holds this is kept, and then is an exception for who wrote it.</summary>
    public string? FailsOn { get; init; }

    public string Text
    {
        get
        {
            lock (_lines)
            {
                return string.Join('\n', _lines);
            }
        }
    }

    public void Clear()
    {
        lock (_lines)
        {
            _lines.Clear();
        }
    }

    /// <summary>True as soon as a line holds <paramref name="fragment"/>; false after a while without one.</summary>
    public bool WaitFor(string fragment)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < Patience)
        {
            lock (_lines)
            {
                if (_lines.Exists(line => line.Contains(fragment, StringComparison.Ordinal)))
                {
                    return true;
                }
            }

            Thread.Sleep(1);
        }

        return false;
    }

    public override string ToString()
    {
        lock (_lines)
        {
            return string.Join('\n', _lines.TakeLast(20));
        }
    }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string line = $"{logLevel}: {formatter(state, exception)}";
        lock (_lines)
        {
            _lines.Add(line);
        }

        if (FailsOn is not null && line.Contains(FailsOn, StringComparison.Ordinal))
        {
            throw new InvalidOperationException("the log cannot be written");
        }
    }

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }
}
