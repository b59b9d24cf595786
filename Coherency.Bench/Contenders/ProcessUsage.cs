namespace Coherency.Bench.Contenders;

/// <summary>What a daemon uses, all processes that it started included (virtiofsd serves from a child).</summary>
/// <param name="CpuNanoseconds">Time on a processor so far.</param>
/// <param name="AnonymousBytes">Resident memory of its own: guest memory, which it shares, and program files are not in it.</param>
/// <param name="OpenFiles">File descriptors.</param>
internal readonly record struct ProcessUsage(long CpuNanoseconds, long AnonymousBytes, int OpenFiles)
{
    private const int BytesPerKilobyte = 1024;
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Reads the present usage; a process that ends meanwhile counts as nothing.</summary>
    public static ProcessUsage Read(IReadOnlyCollection<int> processIds) => new(
        processIds.Sum(ReadCpuNanoseconds),
        processIds.Sum(ReadAnonymousBytes),
        processIds.Sum(CountOpenFiles));

    /// <summary>Processor time alone: cheap enough for before and after each slice.</summary>
    public static long ReadCpu(IReadOnlyCollection<int> processIds) => processIds.Sum(ReadCpuNanoseconds);

    /// <summary>The process and all its descendants.</summary>
    public static IReadOnlyCollection<int> FindTree(int rootProcessId)
    {
        ILookup<int, int> children = Directory.EnumerateDirectories("/proc")
            .Select(path => int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : 0)
            .Where(id => id != 0)
            .ToLookup(ReadParent);
        List<int> tree = [rootProcessId];
        for (int i = 0; i < tree.Count; i++)
            tree.AddRange(children[tree[i]]);
        return tree;
    }

    private static int ReadParent(int processId)
    {
        string stat = IfThere(() => File.ReadAllText($"/proc/{processId}/stat"), "");

        // The second field is the program's name in parentheses and may hold anything; after it come state and parent.
        string[] fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 1 ? int.Parse(fields[1], CultureInfo.InvariantCulture) : 0;
    }

    private static long ReadCpuNanoseconds(int processId) =>
        Libc.GetProcessCpuTime(processId, out timespec time) < 0 ? 0 : (time.tv_sec * NanosecondsPerSecond) + time.tv_nsec;

    private static long ReadAnonymousBytes(int processId)
    {
        const string Field = "RssAnon:";
        string? line = IfThere(() => File.ReadAllLines($"/proc/{processId}/status"), []).FirstOrDefault(
            text => text.StartsWith(Field, StringComparison.Ordinal));
        return line is null ? 0 : FirstNumber(line[Field.Length..].Trim()) * BytesPerKilobyte;
    }

    private static int CountOpenFiles(int processId) => IfThere(() => Directory.GetFileSystemEntries($"/proc/{processId}/fd").Length, 0);

    private static long FirstNumber(string text) =>
        long.TryParse(text.Split(' ', 2)[0], NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;

    /// <summary>A process may end while it is looked at.</summary>
    private static T IfThere<T>(Func<T> read, T otherwise)
    {
        try
        {
            return read();
        }
        catch (IOException)
        {
            return otherwise;
        }
    }
}
