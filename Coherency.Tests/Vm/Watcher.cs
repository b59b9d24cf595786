using System.Globalization;
using System.Text.RegularExpressions;
using Coherency.Guest.VirtualMachines;

namespace Coherency.Tests.Vm;

/// <summary>A program in a guest that watches names below a folder, and prints what inotify tells it.</summary>
public sealed partial class Watcher
{
    private const string End = "end-of-watch";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly VirtualMachine _guest;
    private readonly BackgroundCommand _command;
    private int _read;
    private int _seen;

    private Watcher(VirtualMachine guest, BackgroundCommand command)
    {
        _guest = guest;
        _command = command;
    }

    /// <param name="guest">Where it runs.</param>
    /// <param name="folder">What the paths are below of.</param>
    /// <param name="paths">Must exist.</param>
    public static async Task<Watcher> StartAsync(VirtualMachine guest, string folder, params string[] paths)
    {
        BackgroundCommand command = await guest.StartAsync($"exec guest-tool watch {End} {folder} {string.Join(' ', paths)}");
        await command.WaitForOutputAsync("watching");
        return new Watcher(guest, command) { _read = 1 };
    }

    /// <summary>
    /// Events since the last time: what is watched, kinds, name. Equal neighbours are one, and so are equal writes with nothing but
    /// writes between them: whoever tells of changes may put them together.
    /// </summary>
    public async Task<IReadOnlyList<string>> TakeAsync()
    {
        IReadOnlyList<string> events = await LookAsync();
        _read += _seen;
        return events;
    }

    /// <summary>The same, but leaves them for the next time, until they are what is expected, or time is over.</summary>
    public async Task<IReadOnlyList<string>> TakeAsync(IReadOnlyList<string> expected, TimeSpan patience)
    {
        DateTime end = DateTime.UtcNow + patience;
        IReadOnlyList<string> events = await LookAsync();
        while (!events.SequenceEqual(expected) && DateTime.UtcNow < end)
        {
            await Task.Delay(Interval);
            events = await LookAsync();
        }

        _read += _seen;
        return events;
    }

    /// <summary>Ends it by a name in a folder that it watches.</summary>
    public async Task EndAsync(string folder)
    {
        await _guest.ExpectAsync($"touch {folder}/{End} && rm {folder}/{End}");
        await _command.CompletionAsync();
    }

    private async Task<IReadOnlyList<string>> LookAsync()
    {
        string[] lines = (await _command.OutputAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] last = lines[Math.Min(_read, lines.Length)..];
        _seen = last.Length;
        List<string> events = [];
        Dictionary<string, int> cookies = [];
        HashSet<string> writes = [];
        foreach (string line in last)
        {
            // From 1 for what is compared, whatever came before.
            string told = Cookie().Replace(line, match =>
            {
                cookies.TryAdd(match.Value, cookies.Count + 1);
                return string.Create(CultureInfo.InvariantCulture, $"cookie {cookies[match.Value]}");
            });
            bool isWrite = told.Contains(" MODIFY", StringComparison.Ordinal);
            bool isNew = isWrite ? writes.Add(told) : events.Count == 0 || events[^1] != told;
            if (!isWrite)
            {
                writes.Clear();
            }

            if (isNew)
            {
                events.Add(told);
            }
        }

        return events;
    }

    [GeneratedRegex(@"cookie \d+$")]
    private static partial Regex Cookie();
}
