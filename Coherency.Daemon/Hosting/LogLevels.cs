using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>What is logged, which can be changed while the daemon runs. Thread-safe.</summary>
internal sealed class LogLevels(LogLevel level)
{
    /// <summary>Categories with a level of their own.</summary>
    public const int CategoriesMax = 64;

    /// <summary>Loggers of the web framework, which speaks of every request, say no less severe things than this.</summary>
    private const LogLevel LeastOfFramework = LogLevel.Warning;

    private const string Framework = "Microsoft";

    /// <summary>These tell of a start that failed and of calls that were refused, which whoever tried it is told as well.</summary>
    private static readonly string[] Repeating = ["Microsoft.Extensions.Hosting", "Grpc"];

    /// <summary>It says nothing but that it cannot listen, which ends the daemon with a line that says more.</summary>
    private const string WebServer = "Microsoft.AspNetCore.Server.Kestrel";

    private readonly Lock _lock = new();
    private volatile State _state = new(level, ImmutableDictionary<string, LogLevel>.Empty);

    public bool IsEnabled(string? category, LogLevel severity) => severity >= _state.LevelOf(category ?? "");

    /// <summary>Sets the least severe level that is logged, for a category and those below it, or for all when it is empty.</summary>
    /// <returns>What it was for the category, or for all that nothing else was said of; null when there are too many categories.</returns>
    public LogLevel? Set(string category, LogLevel level)
    {
        lock (_lock)
        {
            if (category.Length > 0 && _state.ByCategory.Count >= CategoriesMax && !_state.ByCategory.ContainsKey(category))
            {
                return null;
            }

            LogLevel previous = category.Length == 0 ? _state.Level : _state.LevelOf(category);
            _state = category.Length == 0 ? _state with { Level = level, ByCategory = _state.ByCategory.Clear() } : _state with
            {
                ByCategory = _state.ByCategory.SetItem(category, level),
            };
            return previous;
        }
    }

    private sealed record State(LogLevel Level, ImmutableDictionary<string, LogLevel> ByCategory)
    {
        /// <summary>Of the longest category that it is or is below.</summary>
        public LogLevel LevelOf(string category)
        {
            for (string? name = category; name is not null && ByCategory.Count > 0; name = Above(name))
            {
                if (ByCategory.TryGetValue(name, out LogLevel level))
                {
                    return level;
                }
            }

            LogLevel least = category switch
            {
                WebServer => LogLevel.None,
                _ when Array.Exists(Repeating, name => category.StartsWith(name, StringComparison.Ordinal)) => LogLevel.Critical,
                _ when category.StartsWith(Framework, StringComparison.Ordinal) => LeastOfFramework,
                _ => LogLevel.Trace,
            };
            return Level < least ? least : Level;
        }

        private static string? Above(string category)
        {
            int dot = category.LastIndexOf('.');
            return dot < 0 ? null : category[..dot];
        }
    }
}
