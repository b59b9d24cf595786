using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Coherence.Events;

/// <summary>A guest changes files by path, with the requests that its kernel would send.</summary>
internal sealed class GuestChanges(VirtioFsGuest guest)
{
    private FuseClient Fuse => guest.Fuse;

    public NodeId Find(string path)
    {
        NodeId node = NodeId.Root;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            node = new NodeId(Fuse.Lookup(node, Bytes(name)).nodeid);
        }

        return node;
    }

    public void Create(string path)
    {
        CreatedFile made = Fuse.Create(Parent(path), Name(path), OpenFlags.O_WRONLY, 0x1A4);
        Close(made.Node, made.Handle);
    }

    public void MkDir(string path) => Fuse.MkDir(Parent(path), Name(path), 0x1ED);

    public void Symlink(string path) => Fuse.Symlink(Parent(path), Name(path), "x"u8);

    public void Write(string path, string text, long offset = 0) =>
        WithOpen(path, OpenFlags.O_WRONLY, (node, handle) => Fuse.Write(node, handle, offset, Bytes(text)));

    public void Append(string path, string text) => WithOpen(
        path, OpenFlags.O_WRONLY | OpenFlags.O_APPEND, (node, handle) => Fuse.Write(
            node, handle, 0, Bytes(text), openFlags: OpenFlags.O_WRONLY | OpenFlags.O_APPEND));

    public void Allocate(string path) => WithOpen(path, OpenFlags.O_WRONLY, (node, handle) => Fuse.Fallocate(node, handle, 0, 0, 4096));

    public void Touch(string path) => WithOpen(path, OpenFlags.O_WRONLY, static (_, _) => { });

    public void Read(string path) => WithOpen(path, OpenFlags.O_RDONLY, (node, handle) => Fuse.Read(node, handle, 0, new byte[10]));

    public void Truncate(string path) => Set(path, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = 1 });

    public void Chmod(string path) => Set(path, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = 0x180 });

    public void Chown(string path) =>
        Set(path, new fuse_setattr_in { valid = (uint)(FuseSetAttrValid.Uid | FuseSetAttrValid.Gid), uid = 1, gid = 1 });

    public void SetTimes(string path) =>
        Set(path, new fuse_setattr_in { valid = (uint)(FuseSetAttrValid.Atime | FuseSetAttrValid.Mtime), atime = 1, mtime = 1 });

    public void SetModificationTime(string path) => Set(path, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mtime, mtime = 2 });

    public void SetXattr(string path) => Fuse.SetXattr(Find(path), "trusted.a"u8, "b"u8);

    public void RemoveXattr(string path) => Fuse.RemoveXattr(Find(path), "trusted.a"u8);

    public void Link(string path, string newPath) => Fuse.Link(Find(path), Parent(newPath), Name(newPath));

    public void Unlink(string path) => Fuse.Unlink(Parent(path), Name(path));

    public void RmDir(string path) => Fuse.RmDir(Parent(path), Name(path));

    public void Rename(string path, string newPath, uint flags = 0) =>
        Fuse.Rename2(Parent(path), Name(path), Parent(newPath), Name(newPath), flags);

    private void Set(string path, in fuse_setattr_in wanted) => Fuse.SetAttr(Find(path), wanted);

    private void WithOpen(string path, int flags, Action<NodeId, FileHandle> use)
    {
        NodeId node = Find(path);
        FileHandle handle = guest.Connection.WithoutOpens ? default : new FileHandle(Fuse.Open(node, flags).fh);
        use(node, handle);
        Close(node, handle);
    }

    private void Close(NodeId node, FileHandle handle)
    {
        if (!guest.Connection.WithoutOpens)
        {
            Fuse.Flush(node, handle);
            Fuse.Release(node, handle);
        }
    }

    private NodeId Parent(string path) => Find(Path.GetDirectoryName(path)!);

    private static byte[] Name(string path) => Bytes(Path.GetFileName(path));

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
