using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Drives a file system with strings and arrays, as a session that has checked the names would.</summary>
internal sealed unsafe class TestGuest(IFileSystem files) : IDisposable
{
    public static readonly Caller Root = new(0, 0, 1, null, 0);

    public IFileSystem Files => files;

    public void Dispose() => files.Dispose();

    public Errno TryLookup(NodeId parent, string name, out Entry entry)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.Lookup(parent, Name(p), out entry);
        }
    }

    public Entry Lookup(string path)
    {
        Entry entry = new() { Node = NodeId.Root };
        foreach (string name in path.Split('/'))
        {
            Expect(TryLookup(entry.Node, name, out entry));
        }

        return entry;
    }

    public Errno TryCreate(
        NodeId parent, string name, int flags, out Entry entry, out FileHandle handle, Caller? caller = null, uint mode = 0x1A4)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.Create(caller ?? Root, parent, Name(p), flags, mode, false, out entry, out handle);
        }
    }

    public (Entry Entry, FileHandle Handle) Create(NodeId parent, string name, Caller? caller = null, uint mode = 0x1A4)
    {
        Expect(TryCreate(parent, name, OpenFlags.O_RDWR, out Entry entry, out FileHandle handle, caller, mode));
        return (entry, handle);
    }

    public Errno TryMakeDirectory(NodeId parent, string name, out Entry entry, Caller? caller = null, uint mode = 0x1ED)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.MakeDirectory(caller ?? Root, parent, Name(p), mode, out entry);
        }
    }

    public Errno TrySymlink(NodeId parent, string name, string target, out Entry entry, Caller? caller = null)
    {
        fixed (byte* p = Bytes(name), t = Bytes(target))
        {
            return files.Symlink(caller ?? Root, parent, Name(p), Name(t), out entry);
        }
    }

    public Errno TryMakeNode(NodeId parent, string name, uint mode, uint device, out Entry entry, Caller? caller = null)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.MakeNode(caller ?? Root, parent, Name(p), mode, device, out entry);
        }
    }

    public Errno TryUnlink(NodeId parent, string name)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.Unlink(parent, Name(p));
        }
    }

    public Errno TryRemoveDirectory(NodeId parent, string name)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.RemoveDirectory(parent, Name(p));
        }
    }

    public Errno TryRename(NodeId parent, string name, NodeId newParent, string newName, uint flags = 0)
    {
        fixed (byte* p = Bytes(name), q = Bytes(newName))
        {
            return files.Rename(Root, parent, Name(p), newParent, Name(q), flags);
        }
    }

    public Errno TryLink(NodeId node, NodeId parent, string name, out Entry entry)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.Link(node, parent, Name(p), out entry);
        }
    }

    public Errno TryOpen(NodeId node, int flags, out FileHandle handle) => files.Open(Root, node, flags, false, out handle);

    public FileHandle Open(NodeId node, int flags)
    {
        Expect(TryOpen(node, flags, out FileHandle handle));
        return handle;
    }

    public void Release(FileHandle handle) => Expect(files.Release(handle, FuseReleaseFlags.None, 0));

    public Errno TryWrite(FileTarget file, string text, long offset, FuseWriteFlags flags = FuseWriteFlags.None, int openFlags = 0)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* p = bytes)
        {
            IoVec vector = new(p, (nuint)bytes.Length);
            Errno errno = files.Write(Root, file with { OpenFlags = openFlags }, &vector, 1, offset, flags, out long written);
            Assert.True(errno != Errno.None || written == bytes.Length);
            return errno;
        }
    }

    public string Read(FileTarget file, long offset = 0, int most = 4096)
    {
        byte[] bytes = new byte[most];
        fixed (byte* p = bytes)
        {
            IoVec vector = new(p, (nuint)most);
            Expect(files.Read(file, &vector, 1, offset, mayWait: true, out long read));
            return Encoding.UTF8.GetString(bytes, 0, (int)read);
        }
    }

    public statx Stat(NodeId node)
    {
        Expect(files.GetAttributes(node, null, out statx attributes));
        return attributes;
    }

    public Errno TrySetAttributes(NodeId node, in AttributeChange change, out statx attributes) =>
        files.SetAttributes(Root, node, change, out attributes);

    public string ReadLink(NodeId node)
    {
        Span<byte> target = stackalloc byte[4096];
        Expect(files.ReadLink(node, target, out int length));
        return Encoding.UTF8.GetString(target[..length]);
    }

    public Errno TryGetXattr(NodeId node, string name, out string value)
    {
        Span<byte> buffer = stackalloc byte[256];
        fixed (byte* p = Bytes(name))
        {
            Errno errno = files.GetXattr(node, Name(p), buffer, out int length);
            value = Encoding.UTF8.GetString(buffer[..length]);
            return errno;
        }
    }

    public Errno TrySetXattr(NodeId node, string name, string value)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.SetXattr(Root, node, Name(p), Encoding.UTF8.GetBytes(value), 0, false);
        }
    }

    public Errno TryRemoveXattr(NodeId node, string name)
    {
        fixed (byte* p = Bytes(name))
        {
            return files.RemoveXattr(node, Name(p));
        }
    }

    /// <summary>Reads a whole directory in replies of <paramref name="replyBytes"/>.</summary>
    public List<ListedEntry> List(NodeId node, bool plus = true, int replyBytes = 4096)
    {
        Expect(files.OpenDirectory(node, out FileHandle handle));
        List<ListedEntry> all = List(handle, plus, replyBytes);
        Expect(files.ReleaseDirectory(handle));
        return all;
    }

    public List<ListedEntry> List(FileTarget directory, bool plus = true, int replyBytes = 4096)
    {
        List<ListedEntry> all = [];
        while (true)
        {
            ListingSink sink = new(replyBytes);
            Expect(files.ReadDirectory(directory, all.Count == 0 ? 0 : all[^1].NextOffset, plus, sink));
            if (sink.Entries.Count == 0)
            {
                return all;
            }

            all.AddRange(sink.Entries);
        }
    }

    public static void Expect(Errno errno) => Assert.Equal(Errno.None, errno);

    private static byte[] Bytes(string name) => Encoding.UTF8.GetBytes(name + '\0');

    private static EntryName Name(byte* pointer)
    {
        int length = 0;
        while (pointer[length] != 0)
        {
            length++;
        }

        return new EntryName(pointer, length);
    }
}

internal sealed record ListedEntry(string Name, ulong Ino, byte Type, long NextOffset, ulong Node, ulong EntryIno, bool HasSpellings);

internal sealed class ListingSink(int bytesLeft) : IDirectorySink
{
    private const int PlusHeaderBytes = 152;

    public List<ListedEntry> Entries { get; } = [];

    public bool HasRoom(int nameBytes) => bytesLeft >= PlusHeaderBytes + nameBytes + 7;

    public void Add(in DirectoryPosition position, ReadOnlySpan<byte> name) => AddPlus(position, name, default);

    public void AddPlus(in DirectoryPosition position, ReadOnlySpan<byte> name, in Entry entry)
    {
        bytesLeft -= PlusHeaderBytes + name.Length + 7;
        Entries.Add(new ListedEntry(
            Encoding.UTF8.GetString(name),
            position.Ino,
            position.Type,
            position.NextOffset,
            entry.Node.Value,
            entry.Attributes.stx_ino,
            entry.HasSpellings));
    }
}
