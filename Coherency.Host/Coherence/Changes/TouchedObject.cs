using Coherency.Core.Fuse;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Changes;

/// <summary>
/// Something that a change may touch: an inode, or a name in a directory, whether the name exists or not. Names are not
/// copied: it lives as long as the request that it comes from.
/// </summary>
public readonly unsafe struct TouchedObject
{
    private readonly byte* _name;
    private readonly int _nameLength;

    private TouchedObject(SlotKey slot, ulong inodeKey, byte* name, int nameLength)
    {
        Slot = slot;
        InodeKey = inodeKey;
        _name = name;
        _nameLength = nameLength;
    }

    public SlotKey Slot { get; }

    /// <summary>Key of the inode, or of the directory that the name is in.</summary>
    public ulong InodeKey { get; }

    public bool IsName => _name != null;

    // SAFETY: those of an EntryName. A scope with this ends within the file system's call that was given the name.
    public ReadOnlySpan<byte> Name => new(_name, _nameLength);

    public static TouchedObject Inode(ulong key) => new(SlotKey.Inode(key), key, null, 0);

    public static TouchedObject NameIn(ulong directoryKey, EntryName name) =>
        new(SlotKey.Name(directoryKey, name.Bytes), directoryKey, name.Pointer, name.Length);
}
