namespace Coherency.Tests.Oracle;

/// <summary>What exists while a schedule is made, as the answers of a first trial of it tell.</summary>
internal sealed class KnownNames
{
    private readonly SortedSet<string> _directories = new(StringComparer.Ordinal) { "/" };
    private readonly SortedSet<string> _others = new(StringComparer.Ordinal);
    private readonly HashSet<(int Actor, int Register)> _files = [];
    private readonly HashSet<(int Actor, int Register)> _openDirectories = [];
    private readonly HashSet<(int Actor, int Register)> _mappings = [];

    /// <summary>With a slash behind.</summary>
    public IReadOnlyList<string> Directories => [.. _directories];

    /// <summary>Files, symlinks and nodes whose last name is one of these.</summary>
    public IReadOnlyList<string> Named(IEnumerable<string> names) =>
        [.. _others.Where(path => names.Contains(path[(path.LastIndexOf('/') + 1)..]))];

    public IReadOnlyList<int> Files(int actor) => Of(_files, actor);

    public IReadOnlyList<int> OpenDirectories(int actor) => Of(_openDirectories, actor);

    public IReadOnlyList<int> Mappings(int actor) => Of(_mappings, actor);

    /// <summary>Takes a call that has succeeded.</summary>
    public void Note(Call call)
    {
        string[] words = call.Text.Split(' ');
        switch (call.Name)
        {
            case "open" or "byhandle":
                bool isDirectory = words[3].Contains("directory", StringComparison.Ordinal);
                (isDirectory ? _files : _openDirectories).Remove(RegisterOf(call, words[1]));
                (isDirectory ? _openDirectories : _files).Add(RegisterOf(call, words[1]));
                if (words[3].Contains("creat", StringComparison.Ordinal))
                {
                    _others.Add(words[2]);
                }

                break;
            case "dup" or "reopen":
                _openDirectories.Remove(RegisterOf(call, words[2]));
                _files.Add(RegisterOf(call, words[2]));
                break;
            case "close":
                _files.Remove(RegisterOf(call, words[1]));
                _openDirectories.Remove(RegisterOf(call, words[1]));
                break;
            case "mmap":
                _mappings.Add(RegisterOf(call, words[1]));
                break;
            case "munmap":
                _mappings.Remove(RegisterOf(call, words[1]));
                break;
            case "mkdir":
                _directories.Add(words[1] + "/");
                break;
            case "rmdir":
                _directories.Remove(words[1] + "/");
                break;
            case "unlink":
                _others.Remove(words[1]);
                break;
            case "mknod":
                _others.Add(words[1]);
                break;
            case "symlink" or "link" or "linkfd":
                _others.Add(words[2]);
                break;
            case "rename":
                Rename(words[1], words[2], words[3] == "exchange");
                break;
        }
    }

    private static (int Actor, int Register) RegisterOf(Call call, string word) => (call.Actor, word[0] - '0');

    private static IReadOnlyList<int> Of(HashSet<(int Actor, int Register)> registers, int actor) =>
        [.. registers.Where(entry => entry.Actor == actor).Select(entry => entry.Register).Order()];

    private void Rename(string from, string to, bool exchanges)
    {
        string[] moved = TakeBelow(from);
        string[] replaced = TakeBelow(to);
        PutBelow(from, to, moved);
        if (exchanges)
        {
            PutBelow(to, from, replaced);
        }
    }

    private string[] TakeBelow(string path)
    {
        string[] taken = [.. _directories.Concat(_others).Where(known => known == path
            || known.StartsWith(path + "/", StringComparison.Ordinal))];
        Array.ForEach(taken, known => _ = _directories.Remove(known) || _others.Remove(known));
        return taken;
    }

    private void PutBelow(string from, string to, string[] taken)
    {
        foreach (string path in taken)
        {
            (path.EndsWith('/') ? _directories : _others).Add(to + path[from.Length..]);
        }
    }
}
