using System.Text.RegularExpressions;

namespace Coherency.Tests.Vm;

/// <summary>A program that people let watch their files. What it is given to watch is its current directory, with all below.</summary>
/// <param name="Command">With the user space of eng/vm/prepare --programs. It prints what the program makes of changes.</param>
/// <param name="Ready">An expression for what it prints when it watches.</param>
public sealed record WatchingProgram(string Name, string Command, string Ready = "^ready$")
{
    private const string Scripts = "/opt/watchers";

    /// <summary>An expression for what it prints of a file that is gone, after or before the file's path.</summary>
    public string Gone { get; init; } = "";

    /// <summary>It prints, again and again, all that there is and what it contains, between lines BEGIN and END.</summary>
    public bool TellsState { get; init; }

    /// <summary>It looks what is in a new directory.</summary>
    public bool LooksInside { get; init; } = true;

    public static readonly IReadOnlyList<WatchingProgram> All =
    [
        new("inotifywait", "inotifywait --monitor --recursive --format '%w%f %e' .", "Watches established")
        {
            Gone = "DELETE", LooksInside = false,
        },
        new("watchdog", $"python3 {Scripts}/watch-watchdog.py") { Gone = "deleted" },
        new("entr", $"{Scripts}/watch-entr", "^END$") { TellsState = true },
        new("incron", $"{Scripts}/watch-incron") { Gone = "IN_DELETE", LooksInside = false },
        new("watchman", $"{Scripts}/watch-watchman", "\"subscribe\"") { Gone = "false" },
        new("chokidar", $"node {Scripts}/watch-chokidar.mjs") { Gone = "unlink" },
        new(
            "nodemon", $"{Scripts}/node_modules/.bin/nodemon --verbose --watch . --ext js --exec 'echo ran'", @"watching \d+ file")
        {
            Gone = "triggering",
        },
        new("watchpack", $"node {Scripts}/watch-watchpack.mjs") { Gone = "rename" },
        new("@parcel/watcher", $"node {Scripts}/watch-parcel.mjs") { Gone = "delete", LooksInside = false },
        new("vite", $"node {Scripts}/watch-vite.mjs") { TellsState = true },
    ];

    public static WatchingProgram Named(string name) => All.Single(program => program.Name == name);

    /// <summary>What it has printed of a file or directory that is new or has changed.</summary>
    /// <param name="said">Since the change, or all for one that tells the state.</param>
    public bool HasReacted(string said, string path, string content) => TellsState
        ? LastState(said).Any(line => line.Contains(path, StringComparison.Ordinal) && line.Contains(content, StringComparison.Ordinal))
        : said.Contains(path, StringComparison.Ordinal);

    /// <summary>What it has printed of a file that is gone.</summary>
    public bool HasNoticedEnd(string said, string path)
    {
        string name = Regex.Escape(path);
        return TellsState
            ? LastState(said) is { Length: > 0 } lines && !lines.Any(line => line.Contains(path, StringComparison.Ordinal))
            : Regex.IsMatch(said, $@"{Gone}[^{{}}\n]*{name}|{name}[^{{}}\n]*{Gone}");
    }

    private static string[] LastState(string said)
    {
        int end = said.LastIndexOf("\nEND", StringComparison.Ordinal);
        int begin = end < 0 ? -1 : said.LastIndexOf("BEGIN\n", end, StringComparison.Ordinal);
        return begin < 0 ? [] : said[begin..end].Split('\n');
    }
}
