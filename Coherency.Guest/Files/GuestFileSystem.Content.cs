using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Guest.Files;

public sealed partial class GuestFileSystem
{
    /// <summary>Opens an existing file.</summary>
    /// <param name="flags">O_* of <see cref="OpenFlags"/>.</param>
    public GuestFile Open(string path, int flags = OpenFlags.O_RDWR)
    {
        NodeReference node = Walk(path);
        try
        {
            return new GuestFile(Fuse, node, new FileHandle(Fuse.Open(node.Node, flags).fh));
        }
        catch
        {
            node.Dispose();
            throw;
        }
    }

    /// <summary>Makes a new file and opens it; EEXIST when there is one.</summary>
    public GuestFile CreateFile(string path, uint mode = DefaultFileMode) =>
        Create(path, OpenFlags.O_RDWR | OpenFlags.O_CREAT | OpenFlags.O_EXCL, mode);

    /// <summary>Makes the file hold exactly <paramref name="data"/>.</summary>
    public void WriteAllBytes(string path, ReadOnlySpan<byte> data, uint mode = DefaultFileMode)
    {
        using GuestFile file = Create(path, OpenFlags.O_WRONLY | OpenFlags.O_CREAT, mode);
        if (file.Status.Size > data.Length)
        {
            Fuse.SetAttr(file.Node, new fuse_setattr_in { valid = (uint)(FuseSetAttrValid.Size | FuseSetAttrValid.Fh), fh = file.Handle.Value });
        }

        file.Write(0, data);
    }

    public byte[] ReadAllBytes(string path)
    {
        using GuestFile file = Open(path, OpenFlags.O_RDONLY);
        byte[] data = new byte[file.Status.Size];
        int bytes = file.Read(0, data);
        return bytes == data.Length ? data : data[..bytes];
    }

    private GuestFile Create(string path, int flags, uint mode)
    {
        using Place place = Locate(path);
        var created = Fuse.Create(place.Parent, place.Name, flags, mode | StatFlags.S_IFREG);
        return new GuestFile(Fuse, new NodeReference(Fuse, created.Entry), created.Handle);
    }
}
