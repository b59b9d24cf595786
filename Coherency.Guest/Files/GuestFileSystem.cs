using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Files;

/// <summary>
/// The share by paths, such as <c>/dir/file.txt</c>, relative to its root. Nothing is cached: each call walks the path on the
/// daemon and sees the present. Symlinks are not followed. What is removed or renamed is looked up first and held meanwhile, as
/// Linux does: QEMU's virtiofsd answers EIO otherwise. Thread-safe; errors are <see cref="FuseException"/>.
/// </summary>
public sealed partial class GuestFileSystem(FuseClient fuse)
{
    private const uint DefaultFileMode = 0x1B6;
    private const uint DefaultDirectoryMode = 0x1FF;

    public FuseClient Fuse { get; } = fuse;

    /// <summary>The same share on behalf of somebody else.</summary>
    public GuestFileSystem As(CallerIdentity caller) => new(Fuse.As(caller));

    /// <summary>Walks to a path and keeps the node referenced until the result is disposed.</summary>
    public NodeReference Walk(string path)
    {
        string[] names = Split(path);
        NodeReference current = Root();
        foreach (string name in names)
        {
            using NodeReference parent = current;
            current = LookupIn(new Place(parent, Utf8(name)));
        }

        return current;
    }

    public GuestFileStatus Stat(string path)
    {
        using NodeReference node = Walk(path);
        return GuestFileStatus.From(node.Node, Fuse.GetAttr(node.Node).attr);
    }

    public bool Exists(string path)
    {
        try
        {
            using NodeReference node = Walk(path);
            return true;
        }
        catch (FuseException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return false;
        }
    }

    /// <summary>Names in a directory with their attributes, without "." and "..", in the daemon's order.</summary>
    public Dictionary<string, GuestFileStatus> ListWithStatus(string path)
    {
        Dictionary<string, GuestFileStatus> result = [];
        foreach (DirectoryRecord record in ReadDirectory(path, plus: true))
        {
            fuse_entry_out entry = record.Entry.GetValueOrDefault();
            result.Add(record.Name, GuestFileStatus.From(new NodeId(entry.nodeid), entry.attr));
            if (entry.nodeid != 0)
            {
                Fuse.Forget(new NodeId(entry.nodeid), 1);
            }
        }

        return result;
    }

    /// <summary>Names in a directory, without "." and "..", in the daemon's order.</summary>
    public List<string> List(string path) => [.. ReadDirectory(path, plus: false).Select(record => record.Name)];

    public void CreateDirectory(string path, uint mode = DefaultDirectoryMode)
    {
        using Place place = Locate(path);
        new NodeReference(Fuse, Fuse.MkDir(place.Parent, place.Name, mode)).Dispose();
    }

    public void DeleteDirectory(string path)
    {
        using Place place = Locate(path);
        using NodeReference node = LookupIn(place);
        Fuse.RmDir(place.Parent, place.Name);
    }

    public void DeleteFile(string path)
    {
        using Place place = Locate(path);
        using NodeReference node = LookupIn(place);
        Fuse.Unlink(place.Parent, place.Name);
    }

    /// <param name="flags">RENAME_* of <see cref="OpenFlags"/>; 0 replaces what is there.</param>
    public void Rename(string from, string to, uint flags = 0)
    {
        using Place source = Locate(from);
        using Place target = Locate(to);
        using NodeReference moved = LookupIn(source);
        using NodeReference? replaced = TryLookupIn(target);
        if (flags == 0)
        {
            Fuse.Rename(source.Parent, source.Name, target.Parent, target.Name);
        }
        else
        {
            Fuse.Rename2(source.Parent, source.Name, target.Parent, target.Name, flags);
        }
    }

    /// <summary>Gives an existing file another name.</summary>
    public void Link(string existing, string path)
    {
        using NodeReference node = Walk(existing);
        using Place place = Locate(path);
        new NodeReference(Fuse, Fuse.Link(node.Node, place.Parent, place.Name)).Dispose();
    }

    public void Symlink(string path, string target)
    {
        using Place place = Locate(path);
        new NodeReference(Fuse, Fuse.Symlink(place.Parent, place.Name, Utf8(target))).Dispose();
    }

    public string ReadLink(string path)
    {
        using NodeReference node = Walk(path);
        return Encoding.UTF8.GetString(Fuse.ReadLink(node.Node));
    }

    public void SetPermissions(string path, uint mode) =>
        Change(path, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = mode });

    /// <param name="length">In bytes.</param>
    public void Truncate(string path, long length) =>
        Change(path, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)length });

    public void SetXattr(string path, string name, ReadOnlySpan<byte> value)
    {
        using NodeReference node = Walk(path);
        Fuse.SetXattr(node.Node, Utf8(name), value);
    }

    public byte[] GetXattr(string path, string name)
    {
        using NodeReference node = Walk(path);
        return Fuse.GetXattr(node.Node, Utf8(name));
    }

    public List<string> ListXattr(string path)
    {
        using NodeReference node = Walk(path);
        return [.. Encoding.UTF8.GetString(Fuse.ListXattr(node.Node)).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static string[] Split(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries);

    private NodeReference Root() => new(Fuse, new fuse_entry_out { nodeid = NodeId.Root.Value });

    private NodeReference LookupIn(in Place place) => new(Fuse, LookupExisting(place.Parent, place.Name));

    private NodeReference? TryLookupIn(in Place place)
    {
        try
        {
            return LookupIn(place);
        }
        catch (FuseException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    private fuse_entry_out LookupExisting(NodeId parent, ReadOnlySpan<byte> name)
    {
        fuse_entry_out entry = Fuse.Lookup(parent, name);
        return entry.nodeid != 0 ? entry : throw new FuseException(FuseOpcode.Lookup, Errno.ENOENT);
    }

    private void Change(string path, in fuse_setattr_in change)
    {
        using NodeReference node = Walk(path);
        Fuse.SetAttr(node.Node, change);
    }

    private List<DirectoryRecord> ReadDirectory(string path, bool plus)
    {
        using NodeReference directory = Walk(path);
        using OpenedDirectory opened = new(Fuse, directory.Node);
        return [.. ReadAllRecords(directory.Node, opened.Handle, plus).Where(record => !record.IsDotOrDotDot)];
    }

    private IEnumerable<DirectoryRecord> ReadAllRecords(NodeId node, FileHandle handle, bool plus)
    {
        ulong offset = 0;
        while (true)
        {
            List<DirectoryRecord> records = plus ? Fuse.ReadDirPlus(node, handle, offset) : Fuse.ReadDir(node, handle, offset);
            if (records.Count == 0)
            {
                yield break;
            }

            foreach (DirectoryRecord record in records)
            {
                yield return record;
            }

            offset = records[^1].NextOffset;
        }
    }

    /// <summary>Walks to the directory that a path's last name is in.</summary>
    private Place Locate(string path)
    {
        string[] names = Split(path);
        if (names.Length == 0)
        {
            throw new ArgumentException("the root has no name", nameof(path));
        }

        return new Place(Walk(string.Join('/', names[..^1])), Utf8(names[^1]));
    }

    /// <summary>A name in a directory, be there anything or not.</summary>
    private readonly struct Place(NodeReference directory, byte[] name) : IDisposable
    {
        public NodeId Parent => directory.Node;

        public byte[] Name { get; } = name;

        public void Dispose() => directory.Dispose();
    }
}
