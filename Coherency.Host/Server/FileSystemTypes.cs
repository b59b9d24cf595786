using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Who asks: ids as the guest gave them.</summary>
/// <param name="SupplementaryGroup">The one group of FUSE_CREATE_SUPP_GROUP that owns the parent directory, if any.</param>
/// <param name="Umask">What to take off the mode of new files, where the directory has no default ACL.</param>
/// <param name="Labels">What whatever is made has to have before anybody uses it; null for none.</param>
public readonly record struct Caller(
    uint Uid, uint Gid, uint Pid, uint? SupplementaryGroup, uint Umask, SecurityLabel[]? Labels = null)
{
    /// <summary>
    /// What stands for both ids where the client does not say who asks (FUSE_INVALID_UIDGID): of nobody's, it is in no map of ids. With
    /// FUSE_ALLOW_IDMAP only requests that make something say it.
    /// </summary>
    public const uint UnknownId = uint.MaxValue;

    public bool IsUnknown => Uid == UnknownId;
}

/// <summary>A security context that the client's kernel gives to something new: an extended attribute.</summary>
/// <param name="Name">With a NUL at the end.</param>
public sealed record SecurityLabel(byte[] Name, byte[] Value);

/// <summary>A directory entry found or made.</summary>
public struct Entry
{
    public NodeId Node;
    public statx Attributes;

    /// <summary>It is the root of another mount than its parent's.</summary>
    public bool IsSubmount;

    /// <summary>
    /// Other bytes mean the same name, which may come and go by any of them: nobody may keep it, nor its absence. Said of a name
    /// that does not exist, too.
    /// </summary>
    public bool HasSpellings;
}

/// <summary>
/// An open file or directory as a request names it: by the handle that opening it gave; or with handle 0, which no open file has,
/// by the node alone (<see cref="IFileSystem.TryDoWithoutOpens"/>).
/// </summary>
/// <param name="OpenFlags">
/// O_* that the client's open file has at this moment, as READ and WRITE tell: fcntl(2) changes some of them without a request.
/// </param>
public readonly record struct FileTarget(NodeId Node, FileHandle Handle, int OpenFlags = 0)
{
    public bool HasHandle => Handle.Value != 0;

    /// <summary>A handle says by itself which file it means.</summary>
    public static implicit operator FileTarget(FileHandle handle) => FromHandle(handle);

    public static FileTarget FromHandle(FileHandle handle) => new(default, handle);
}

/// <summary>Fields of a FUSE_SETATTR request; <see cref="Valid"/> says which count.</summary>
public struct AttributeChange
{
    public FuseSetAttrValid Valid;
    public FileHandle Handle;
    public uint Mode;
    public uint Uid;
    public uint Gid;
    public long Size;
    public timespec AccessTime;
    public timespec ModificationTime;
}

/// <summary>A record lock; <see cref="End"/> is the last byte, <see cref="long.MaxValue"/> to the end of the file.</summary>
public record struct FileLock
{
    public short Type;
    public long Start;
    public long End;
    public uint Pid;
}

/// <summary>Position of a directory entry, as getdents64(2) gives it.</summary>
public readonly record struct DirectoryPosition(ulong Ino, byte Type, long NextOffset);

/// <summary>Takes directory entries as long as there is room.</summary>
public interface IDirectorySink
{
    /// <summary>Asked before anything is done for an entry: is there room for a name of that many bytes?</summary>
    bool HasRoom(int nameBytes);

    void Add(in DirectoryPosition position, ReadOnlySpan<byte> name);

    /// <param name="entry">Its node id is 0 where the client must look the name up itself ("." and "..").</param>
    void AddPlus(in DirectoryPosition position, ReadOnlySpan<byte> name, in Entry entry);
}
