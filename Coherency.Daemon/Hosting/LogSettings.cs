using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Coherency.Daemon.Hosting;

/// <summary>How log messages look.</summary>
public enum LogFormat
{
    Text,
    Json,
    Systemd,
}

/// <summary>What is logged and how; always to standard error, so that standard output stays what commands print.</summary>
public sealed record LogSettings(LogLevel Level, LogFormat Format)
{
    public void Apply(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        LogLevels levels = new(Level);
        logging.Services.AddSingleton(levels);
        logging.SetMinimumLevel(LogLevel.Trace);
        logging.AddFilter((category, severity) => levels.IsEnabled(category, severity));
        logging.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        switch (Format)
        {
            case LogFormat.Json:
                logging.AddJsonConsole();
                break;
            case LogFormat.Systemd:
                logging.AddSystemdConsole();
                break;
            default:
                logging.AddSimpleConsole(options =>
                {
                    options.SingleLine = true;
                    options.TimestampFormat = "HH:mm:ss.fff ";
                });
                break;
        }
    }
}
