using System.Diagnostics;
using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;
using Coherency.Tests.Linearizability;

namespace Coherency.Tests.Histories;

/// <summary>One thread of a guest that does random things to the shared tree and writes down what it saw.</summary>
internal sealed class RandomUser
{
    private const uint PermissionBits = 0x1FF;

    /// <summary>Permissions, set-id bits and the sticky bit.</summary>
    private const uint ModeBits = 0xFFF;

    private const ulong NanosecondsPerSecond = 1_000_000_000;

    private const int OwnSubdirectories = 4;

    private readonly SharedTree _tree;
    private readonly ITreeClient _client;
    private readonly string _actor;
    private readonly Random _random;
    private readonly NodeId?[] _directories;
    private readonly NodeId[] _yards;
    private readonly int[] _reachable;
    private readonly int[] _pairs;
    private readonly NodeId?[] _lastSeen;
    private readonly HashSet<(int Yard, int Subdirectory)> _made = [];
    private readonly List<Step> _steps = [];

    /// <param name="client">It may reach only some of the tree's directories, or none of the yards.</param>
    /// <param name="actor">For people who read the history.</param>
    public RandomUser(SharedTree tree, ITreeClient client, string actor, int seed)
    {
        _tree = tree;
        _client = client;
        _actor = actor;
        _random = new Random(seed);
        _directories = [.. SharedTree.Directories.Select(name => client.Lookup(NodeId.Root, name))];
        _reachable = [.. Enumerable.Range(0, _directories.Length).Where(directory => _directories[directory] is not null)];
        _pairs = [.. Enumerable.Range(0, tree.Pairs.Count).Where(
            pair => Enumerable.Range(0, 2).All(name => _directories[tree.Pairs[pair][name].Directory] is not null))];
        _yards = [.. tree.Yards.Select(yard => client.Lookup(NodeId.Root, yard.Name)).OfType<NodeId>()];
        _lastSeen = new NodeId?[tree.Pairs.Count];
    }

    public IReadOnlyList<Step> Steps => _steps;

    public void Run(int operations)
    {
        for (int i = 0; i < operations; i++)
        {
            DoSomething();
        }
    }

    public void RunUntil(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            DoSomething();
        }
    }

    private void DoSomething()
    {
        int index = _pairs[_random.Next(_pairs.Length)];
        SharedPair pair = _tree.Pairs[index];
        int name = _random.Next(2);
        switch (_random.Next(100))
        {
            case < 6 when _yards.Length > 0:
                LookIntoYard(_random.Next(_yards.Length));
                break;
            case < 9 when _yards.Length > 0:
                ChangeYard(_random.Next(_yards.Length));
                break;
            case < 30 when _lastSeen[index] is { } node:
                Look(pair, node);
                break;
            case < 43 when _lastSeen[index] is { } node:
                SetAttribute(pair, node);
                break;
            case < 47 when _lastSeen[index] is { } node && pair.Kind != NodeKind.Directory:
                Link(pair, name, node);
                break;
            case >= 47 and < 50:
                List(_reachable[_random.Next(_reachable.Length)]);
                break;
            case >= 50 and < 56:
                Make(index, pair, name);
                break;
            case >= 56 and < 59:
                Remove(pair, name);
                break;
            case >= 59 and < 65:
                Rename(pair, name);
                break;
            default:
                Find(index, pair, name);
                break;
        }
    }

    private NodeId DirectoryOf(int index) => _directories[index]!.Value;

    private void Find(int index, SharedPair pair, int name)
    {
        long start = Stopwatch.GetTimestamp();
        NodeId? found = _client.Lookup(DirectoryOf(pair[name].Directory), pair[name].Name);
        Record(Returned(start), pair.Names, new FindName(name, found?.Value ?? NamePair.Absent));
        _lastSeen[index] = found ?? _lastSeen[index];
    }

    private void Look(SharedPair pair, NodeId node)
    {
        CheckedInode inode = _tree[node];
        long start = Stopwatch.GetTimestamp();
        if (pair.Kind == NodeKind.Symlink && _random.Next(2) == 0)
        {
            ulong target = ulong.Parse(_client.ReadLink(node), CultureInfo.InvariantCulture);
            Record(Returned(start), inode.Target, new ReadValue(target));
            return;
        }

        fuse_attr attributes = _client.GetAttributes(node);
        Operation stat = Returned(start);
        Record(stat, inode.Owner, new ReadValue(attributes.uid));
        switch (pair.Kind)
        {
            case NodeKind.File:
                Record(stat, inode.Mode, new ReadValue(attributes.mode & ModeBits));
                Record(stat, inode.Size, new ReadValue(attributes.size));
                Record(stat, pair.Names, new CountLinks(node.Value, attributes.nlink));
                break;
            case NodeKind.Directory:
                Record(stat, inode.Mode, new ReadValue(attributes.mode & ModeBits));
                Record(stat, inode.ModificationTime, new ReadValue((attributes.mtime * NanosecondsPerSecond) + attributes.mtimensec));
                break;
            case NodeKind.Symlink:
                Record(stat, pair.Names, new CountLinks(node.Value, attributes.nlink));
                break;
        }
    }

    private void LookIntoYard(int index)
    {
        SharedYard yard = _tree.Yards[index];
        long start = Stopwatch.GetTimestamp();
        fuse_attr attributes = _client.GetAttributes(_yards[index]);
        Operation stat = Returned(start);
        Record(stat, yard.Links, new ReadValue(attributes.nlink));
        Record(stat, yard.ModificationTime, new ReachValue((attributes.mtime * NanosecondsPerSecond) + attributes.mtimensec));
    }

    /// <summary>Nobody else knows these names, so that no change is refused.</summary>
    private void ChangeYard(int index)
    {
        int subdirectory = _random.Next(OwnSubdirectories);
        string name = $"{_actor}.{subdirectory}";
        bool isRemoval = _made.Remove((index, subdirectory));
        long start = Stopwatch.GetTimestamp();
        if (isRemoval)
        {
            _client.DeleteDirectory(_yards[index], name);
        }
        else
        {
            _client.CreateDirectory(_yards[index], name);
            _made.Add((index, subdirectory));
        }

        Record(Returned(start), _tree.Yards[index].Links, isRemoval ? new CountDown() : new CountUp());
    }

    private void List(int directory)
    {
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<string> listed = _client.List(DirectoryOf(directory));
        Operation list = Returned(start);
        foreach (SharedPair pair in _tree.Pairs)
        {
            for (int name = 0; name < 2; name++)
            {
                if (pair[name].Directory == directory)
                {
                    Record(list, pair.Names, new SeeName(name, listed.Contains(pair[name].Name), "listed"));
                }
            }
        }
    }

    private void Make(int index, SharedPair pair, int name)
    {
        NodeId directory = DirectoryOf(pair[name].Directory);
        string entry = pair[name].Name;
        ulong target = _tree.NextValue();
        NodeId made = default;
        Errno errno = Attempt(
            () => made = pair.Kind switch
            {
                NodeKind.File => _client.CreateFile(directory, entry),
                NodeKind.Directory => _client.CreateDirectory(directory, entry),
                _ => _client.CreateSymlink(directory, entry, target.ToString(CultureInfo.InvariantCulture)),
            },
            out Operation operation);
        Record(operation, pair.Names, errno switch
        {
            Errno.None => new MakeName(name, made.Value),
            Errno.EEXIST => new SeeName(name, true, "make refused"),
            _ => throw Unexpected(operation, errno),
        });
        if (errno == Errno.None)
        {
            _lastSeen[index] = made;
            Record(operation, _tree[made].Target, new WriteValue(target));
        }
    }

    private void Remove(SharedPair pair, int name)
    {
        NodeId directory = DirectoryOf(pair[name].Directory);
        Errno errno = Attempt(
            () =>
            {
                if (pair.Kind == NodeKind.Directory)
                {
                    _client.DeleteDirectory(directory, pair[name].Name);
                }
                else
                {
                    _client.DeleteFile(directory, pair[name].Name);
                }
            },
            out Operation operation);
        Record(operation, pair.Names, errno switch
        {
            Errno.None => new RemoveName(name),
            Errno.ENOENT => new SeeName(name, false, "removal refused"),
            _ => throw Unexpected(operation, errno),
        });
    }

    private void Rename(SharedPair pair, int from)
    {
        SharedName source = pair[from];
        SharedName target = pair[1 - from];
        uint flags = _random.Next(3) switch { 0 => 0, 1 => OpenFlags.RENAME_NOREPLACE, _ => OpenFlags.RENAME_EXCHANGE };
        Errno errno = Attempt(
            () => _client.Rename(DirectoryOf(source.Directory), source.Name, DirectoryOf(target.Directory), target.Name, flags),
            out Operation operation);
        Record(operation, pair.Names, (errno, flags) switch
        {
            (Errno.None, OpenFlags.RENAME_EXCHANGE) => new ExchangeNames(),
            (Errno.ENOENT, OpenFlags.RENAME_EXCHANGE) => new SeeOneAbsent(),
            (Errno.None, _) => new RenameName(from, Replaces: flags == 0),
            (Errno.ENOENT, _) => new SeeName(from, false, "rename refused"),
            (Errno.EEXIST, OpenFlags.RENAME_NOREPLACE) => new SeeName(1 - from, true, "rename refused"),
            _ => throw Unexpected(operation, errno),
        });
    }

    private void Link(SharedPair pair, int name, NodeId node)
    {
        Errno errno = Attempt(() => _client.Link(node, DirectoryOf(pair[name].Directory), pair[name].Name), out Operation operation);
        Record(operation, pair.Names, errno switch
        {
            Errno.None => new LinkName(name, node.Value),
            Errno.EEXIST => new SeeName(name, true, "link refused"),
            Errno.ENOENT => new CountLinks(node.Value, 0),
            _ => throw Unexpected(operation, errno),
        });
    }

    private void SetAttribute(SharedPair pair, NodeId node)
    {
        CheckedInode inode = _tree[node];
        ulong value = _tree.NextValue();
        (CheckedObject attribute, fuse_setattr_in change, ulong written) = (_random.Next(3), pair.Kind) switch
        {
            (0, not NodeKind.Symlink) => (
                inode.Mode,
                new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = (uint)value & PermissionBits },
                value & PermissionBits),
            (1, NodeKind.File) => (inode.Size, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = value }, value),
            (1, NodeKind.Directory) => (
                inode.ModificationTime,
                new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mtime, mtime = value },
                value * NanosecondsPerSecond),
            _ => (inode.Owner, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Uid, uid = (uint)value }, value),
        };
        Errno errno = Attempt(() => _client.SetAttributes(node, change), out Operation operation);
        if (errno != Errno.None)
        {
            throw Unexpected(operation, errno);
        }

        Record(operation, attribute, new WriteValue(written));
    }

    private Errno Attempt(Action change, out Operation operation)
    {
        long start = Stopwatch.GetTimestamp();
        Errno errno = Errno.None;
        try
        {
            change();
        }
        catch (FuseException refused)
        {
            errno = refused.Errno;
        }

        operation = Returned(start);
        return errno;
    }

    private Operation Returned(long start) => new(_actor, start, Stopwatch.GetTimestamp());

    private void Record(Operation operation, CheckedObject what, Transition transition) =>
        _steps.Add(new Step(operation, what, transition));

    private static InvalidOperationException Unexpected(Operation operation, Errno errno) =>
        new($"{operation}: no history explains {errno}");
}
