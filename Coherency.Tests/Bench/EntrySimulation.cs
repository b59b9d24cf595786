using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Coherency.Core.Versioning;

namespace Coherency.Tests.Bench;

/// <summary>
/// Simulates every look and every change of a <see cref="SharedSlots"/>, one after the other, on tables of version words: the
/// cached entries and the changed objects have names, and their slots come from the hash of the real table.
/// </summary>
internal sealed class EntrySimulation
{
    /// <summary>Files that share a directory.</summary>
    private const ulong FilesPerDirectory = 64;

    /// <summary>Files that are changed are none of those that are cached.</summary>
    private const ulong FirstChangedFile = 1UL << 40;

    private const long ChangedFiles = 1L << 30;

    /// <summary>Looks of each guest while the simulation counts; more where that is less than two at each entry.</summary>
    private const long LooksCounted = 1_000_000;

    /// <summary>Looks at each entry before counting begins, so that as many wait to be asked for as ever will.</summary>
    private const int LooksBeforeCounting = 5;

    private readonly SharedSlots _share;
    private readonly ulong _fileSystem;
    private readonly Draws _draws;

    /// <summary>Of each cached entry; the guests cache the same ones.</summary>
    private readonly int[] _slotOfEntry;

    /// <summary>The tables, one behind the other.</summary>
    private readonly uint[] _versions;

    /// <summary>What each guest's entries were sampled with.</summary>
    private readonly uint[] _samples;

    /// <param name="tree">Makes the keys: another one, and the same names fall into other slots.</param>
    public EntrySimulation(SharedSlots share, ulong tree)
    {
        _share = share;
        _fileSystem = XxHash64.Hash(MemoryMarshal.AsBytes([tree]));
        _draws = new Draws(tree);
        _slotOfEntry = new int[share.Entries];
        for (int entry = 0; entry < _slotOfEntry.Length; entry++)
        {
            // A file that is cached is two entries: its name and its inode.
            ulong file = (ulong)entry / 2;
            _slotOfEntry[entry] = SlotOf(entry % 2 == 0 ? NameOf(file) : InodeOf(file));
        }

        _versions = new uint[share.Slots * share.Guests];
        _samples = new uint[share.Entries * share.Guests];
    }

    /// <summary>Requests a second in vain, of all guests together.</summary>
    public double Run()
    {
        Advance(_share.Entries * _share.Guests * LooksBeforeCounting);
        long looks = Math.Max(LooksCounted, 2 * _share.Entries) * _share.Guests;
        double seconds = looks / (_share.Looks * _share.Guests);
        return Advance(looks) / seconds;
    }

    /// <summary>
    /// Goes on for so many looks, with as many changes among them as their rates demand; returns how many looks were in vain.
    /// </summary>
    private long Advance(long looks)
    {
        // A guest does not see its own changes: for each to see so many, all together make more.
        int authors = _share.Guests == 1 ? 2 : _share.Guests;
        double changeRate = _share.Changes * authors / (authors - 1);
        double changeShare = changeRate / (changeRate + (_share.Looks * _share.Guests));
        long refetches = 0;
        while (looks > 0)
        {
            if (_draws.Unit() < changeShare)
            {
                Change((int)_draws.Below(authors));
            }
            else
            {
                refetches += IsLookInVain((int)_draws.Below(_share.Guests)) ? 1 : 0;
                looks--;
            }
        }

        return refetches;
    }

    private bool IsLookInVain(int guest)
    {
        long entry = _draws.Below(_share.Entries);
        uint version = _versions[(guest * _share.Slots) + _slotOfEntry[entry]];
        ref uint sample = ref _samples[(guest * _share.Entries) + entry];
        bool isMoved = sample != version;
        sample = version;
        return isMoved;
    }

    /// <summary>A change of as many objects as a change has slots: a name, its directory, its inode, further inodes.</summary>
    private void Change(int author)
    {
        ulong file = FirstChangedFile + (ulong)_draws.Below(ChangedFiles);
        Span<int> slots = stackalloc int[_share.SlotsPerChange];
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i] = SlotOf(i switch { 0 => NameOf(file), 1 => DirectoryOf(file), _ => InodeOf(file + (ulong)i) });
        }

        for (int guest = 0; guest < _share.Guests; guest++)
        {
            // With one guest, the first author is that guest and the second one is nobody that looks.
            for (int i = 0; guest != author && i < slots.Length; i++)
            {
                _versions[(guest * _share.Slots) + slots[i]]++;
            }
        }
    }

    private int SlotOf(SlotKey key) => (int)(key.Value & (ulong)(_share.Slots - 1));

    private SlotKey NameOf(ulong file)
    {
        Span<byte> name = stackalloc byte[24];
        "file-"u8.CopyTo(name);
        file.TryFormat(name[5..], out int digits);
        return SlotKey.Name(DirectoryOf(file).Value, name[..(5 + digits)]);
    }

    private SlotKey InodeOf(ulong file) => KeyOfHandle(file);

    private SlotKey DirectoryOf(ulong file) => KeyOfHandle((1UL << 60) + (file / FilesPerDirectory));

    /// <summary>As the daemon makes inode keys: the hash of the file system's identity and of a file handle.</summary>
    private SlotKey KeyOfHandle(ulong number)
    {
        Span<byte> handle = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(handle, number);
        return SlotKey.Inode(XxHash64.Hash(handle, _fileSystem));
    }
}
