using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Files;

public sealed partial class GuestFileSystem
{
    /// <summary>Opens an existing file.</summary>
    /// <param name="flags">O_* of <see cref="OpenFlags"/>.</param>
    public GuestFile Open(string path, int flags = OpenFlags.O_RDWR) => OpenNode(Walk(path), flags);

    /// <summary>Makes a new file and opens it; EEXIST when there is one.</summary>
    public GuestFile CreateFile(string path, uint mode = DefaultFileMode)
    {
        using Place place = Locate(path);
        return CreateIn(place, OpenFlags.O_RDWR, mode);
    }

    /// <summary>Makes the file hold exactly <paramref name="data"/>.</summary>
    public void WriteAllBytes(string path, ReadOnlySpan<byte> data, uint mode = DefaultFileMode)
    {
        using GuestFile file = OpenOrCreate(path, OpenFlags.O_WRONLY, mode);
        if (file.Status.Size > data.Length)
        {
            file.Truncate(0);
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

    /// <summary>
    /// Opens a file, or makes it when there is none. Like Linux it sends CREATE only for a name that was not found: QEMU's
    /// virtiofsd crashes when a CREATE without O_EXCL meets a file.
    /// </summary>
    private GuestFile OpenOrCreate(string path, int flags, uint mode)
    {
        using Place place = Locate(path);
        while (true)
        {
            if (TryLookupIn(place) is { } node)
            {
                return OpenNode(node, flags);
            }

            try
            {
                return CreateIn(place, flags, mode);
            }
            catch (FuseException e) when (e.Errno == Errno.EEXIST)
            {
                // Somebody else made it since the lookup.
            }
        }
    }

    /// <summary>Takes ownership of the reference.</summary>
    private GuestFile OpenNode(NodeReference node, int flags)
    {
        try
        {
            return new GuestFile(Fuse, node, OpenHandle(node.Node, flags), flags);
        }
        catch
        {
            node.Dispose();
            throw;
        }
    }

    private GuestFile CreateIn(in Place place, int flags, uint mode)
    {
        const int New = OpenFlags.O_CREAT | OpenFlags.O_EXCL;
        CreatedFile created = Fuse.Create(place.Parent, place.Name, flags | New, mode | StatFlags.S_IFREG);
        return new GuestFile(Fuse, new NodeReference(Fuse, created.Entry), created.Handle, flags);
    }

    /// <summary>Without opens, what an open would do at once is asked for, and nothing else.</summary>
    private FileHandle OpenHandle(NodeId node, int flags)
    {
        if (!Fuse.Connection.WithoutOpens)
        {
            return new FileHandle(Fuse.Open(node, flags).fh);
        }

        if ((flags & OpenFlags.O_TRUNC) != 0)
        {
            Fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size });
        }

        return default;
    }
}
