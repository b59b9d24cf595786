using Coherency.Core.Attaching;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Attaching;

/// <summary>Sends log messages to the keeper, which knows how and where they are written.</summary>
internal sealed class KeeperLogProvider(AttachChannel channel, LogLevel level) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Lines(channel, level);

    public void Dispose()
    {
    }

    private sealed class Lines(AttachChannel channel, LogLevel level) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= level && logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                string text = formatter(state, exception);
                channel.Send(
                    new AttachNotice(AttachNoticeKind.Logged, exception is null ? text : $"{text}: {exception}", SeverityOf(logLevel)));
            }
        }

        private static LineSeverity SeverityOf(LogLevel logLevel) => logLevel switch
        {
            LogLevel.Trace => LineSeverity.Trace,
            LogLevel.Debug => LineSeverity.Debug,
            LogLevel.Information => LineSeverity.Info,
            LogLevel.Warning => LineSeverity.Warn,
            _ => LineSeverity.Error,
        };
    }
}
