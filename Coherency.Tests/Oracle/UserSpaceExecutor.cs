using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Oracle;

/// <summary>
/// The calls of one process, root's, by a guest in this process that caches by the version table: those that need no open file. What
/// a kernel does with a path is done here, name by name out of the cache.
/// </summary>
internal sealed class UserSpaceExecutor(CoherentCache cache) : ICallExecutor
{
    /// <summary>As Linux has it (path_resolution(7)).</summary>
    private const int SymlinksMax = 40;

    private const uint PermissionBits = 0xFFF;

    /// <summary>What mkdir(2) takes.</summary>
    private const uint DirectoryModeBits = 0x3FF;

    private static readonly Dictionary<string, Func<UserSpaceExecutor, string[], string>> Calls = new()
    {
        ["stat"] = (one, words) => Describe(one._cache.GetAttributes(one.Walk(words[1], follows: words[2] != "nofollow"))),
        ["list"] = (one, words) => one.List(words[1]),
        ["readlink"] = (one, words) => one.ReadLink(words[1]),
        ["chmod"] = (one, words) => one.SetMode(words[1], Convert.ToUInt32(words[2], 8)),
        ["mkdir"] = (one, words) => one.At(words[1], (parent, name) =>
            one._cache.CreateDirectory(parent, name, Convert.ToUInt32(words[2], 8) & DirectoryModeBits)),
        ["symlink"] = (one, words) => one.At(words[2], (parent, name) => one._cache.CreateSymlink(parent, name, words[1])),
        ["unlink"] = (one, words) => one.At(words[1], one._cache.DeleteFile),
        ["rmdir"] = (one, words) => one.At(words[1], one._cache.DeleteDirectory),
        ["rename"] = (one, words) => one.At(words[1], (parent, name) => one.At(words[2], (newParent, newName) =>
            one._cache.Rename(parent, name, newParent, newName, FlagsOf(words[3])))),
    };

    private readonly CoherentCache _cache = cache;
    private string _root = "";

    /// <summary>True for calls that can be carried out here.</summary>
    public static bool Knows(string call) => Calls.ContainsKey(call.Split(' ')[0]) && !call.Contains('@', StringComparison.Ordinal);

    public Task ExpectAsync(IReadOnlyList<string> requests)
    {
        _root = requests.LastOrDefault(request => request.StartsWith("new ", StringComparison.Ordinal))?.Split(' ')[^1] ?? _root;
        return Task.CompletedTask;
    }

    public Task<string[]> RunAsync(int process, IReadOnlyList<string> calls) =>
        Task.Run(() => calls.Select(call => Carry(call.Split(' '))).ToArray());

    public void Dispose() => _cache.Dispose();

    private string Carry(string[] words)
    {
        try
        {
            return Calls[words[0]](this, words);
        }
        catch (FuseException refused)
        {
            return refused.Errno.ToString();
        }
    }

    private NodeId Walk(string path, bool follows)
    {
        bool mustBeDirectory = path.EndsWith('/');
        Stack<string> names = new(Components(_root + path).Reverse());
        List<NodeId> way = [NodeId.Root];
        for (int symlinks = 0; names.TryPop(out string? name);)
        {
            ExpectDirectory(way[^1]);
            if (name is "." or "..")
            {
                way.RemoveRange(Math.Max(1, way.Count - (name.Length - 1)), name.Length - 1);
                continue;
            }

            NodeId node = _cache.Lookup(way[^1], name) ?? throw new FuseException(FuseOpcode.Lookup, Errno.ENOENT);
            bool isLast = names.Count == 0 && !mustBeDirectory;
            if (!IsOfType(node, StatFlags.S_IFLNK) || (isLast && !follows))
            {
                way.Add(node);
                continue;
            }

            if (++symlinks > SymlinksMax)
            {
                throw new FuseException(FuseOpcode.Lookup, Errno.ELOOP);
            }

            foreach (string component in Components(_cache.ReadLink(node)).Reverse())
            {
                names.Push(component);
            }
        }

        if (mustBeDirectory)
        {
            ExpectDirectory(way[^1]);
        }

        return way[^1];
    }

    private static string[] Components(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries);

    private bool IsOfType(NodeId node, uint type) => (_cache.GetAttributes(node).mode & StatFlags.S_IFMT) == type;

    private void ExpectDirectory(NodeId node)
    {
        if (!IsOfType(node, StatFlags.S_IFDIR))
        {
            throw new FuseException(FuseOpcode.Lookup, Errno.ENOTDIR);
        }
    }

    /// <summary>Does something to a name, be there anything or not.</summary>
    private string At(string path, Action<NodeId, string> change)
    {
        int slash = path.LastIndexOf('/');
        change(Walk(path[..(slash + 1)], follows: true), path[(slash + 1)..]);
        return "0";
    }

    private string ReadLink(string path)
    {
        NodeId node = Walk(path, follows: false);
        return IsOfType(node, StatFlags.S_IFLNK) ? _cache.ReadLink(node) : $"{Errno.EINVAL}";
    }

    private string SetMode(string path, uint mode)
    {
        _cache.SetAttributes(
            Walk(path, follows: true), new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = mode & PermissionBits });
        return "0";
    }

    private string List(string path)
    {
        NodeId directory = Walk(path, follows: true);
        ExpectDirectory(directory);
        string[] entries =
        [
            ..((string[])[".", ".."]).Select(name => $"{name}:{TypeOf(StatFlags.S_IFDIR)}"),
            .. _cache.List(directory).Select(name => $"{name}:{TypeOf(_cache.GetAttributes(_cache.Lookup(directory, name)!.Value).mode)}"),
        ];
        Array.Sort(entries, StringComparer.Ordinal);
        return $"{entries.Length}:{string.Concat(entries.Select(entry => " " + entry))}";
    }

    /// <summary>DT_* of readdir(3).</summary>
    private static uint TypeOf(uint mode) => (mode & StatFlags.S_IFMT) >> 12;

    private static uint FlagsOf(string word) => word switch
    {
        "noreplace" => OpenFlags.RENAME_NOREPLACE,
        "exchange" => OpenFlags.RENAME_EXCHANGE,
        _ => 0,
    };

    /// <summary>As the kernel decodes a device's number that FUSE has (new_decode_dev).</summary>
    private static string Describe(in fuse_attr attributes)
    {
        uint major = (attributes.rdev & 0xFFF00) >> 8;
        uint minor = (attributes.rdev & 0xFF) | ((attributes.rdev >> 12) & 0xFFF00);
        return $"mode={Convert.ToString(attributes.mode, 8)} nlink={attributes.nlink} uid={attributes.uid} gid={attributes.gid} " +
            $"size={attributes.size} blocks={attributes.blocks} blksize={attributes.blksize} rdev={major}:{minor} ino=i{attributes.ino} " +
            $"atime=t{(long)attributes.atime}.{attributes.atimensec:D9} mtime=t{(long)attributes.mtime}.{attributes.mtimensec:D9} " +
            $"ctime=t{(long)attributes.ctime}.{attributes.ctimensec:D9}";
    }
}
