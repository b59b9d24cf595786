using Microsoft.Extensions.Logging;

namespace Coherency.Fuzz;

/// <summary>The daemon's log: what it must never say is a fault, on whichever thread.</summary>
internal sealed class FaultLog : ILogger
{
    private Exception? _fault;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel == LogLevel.Critical)
        {
            Interlocked.CompareExchange(ref _fault, new InvalidOperationException(formatter(state, exception), exception), null);
        }
    }

    /// <exception cref="InvalidOperationException">There was a fault.</exception>
    public void Check()
    {
        if (Interlocked.Exchange(ref _fault, null) is { } fault)
        {
            throw fault;
        }
    }
}
