using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Changes;

/// <summary>One change in the <see cref="ChangeLog"/>. A copy of it is the reader's own.</summary>
public struct ChangeRecord
{
    /// <summary>Bytes of a name that are kept; of a longer one, so many are.</summary>
    public const int NameBytesMax = 48;

    private KeyBuffer _keys;
    private LinkBuffer _links;
    private NameBuffer _name;

    /// <summary>Counts the changes of a group from 1 on, without gaps.</summary>
    public long Sequence { get; internal set; }

    /// <summary>When it ended, or was noticed, in ticks of <see cref="DateTime"/>, UTC.</summary>
    public long Ticks { get; internal set; }

    public ChangeActor Actor { get; internal set; }

    /// <summary>The view whose client needed no telling; null when all were told.</summary>
    public ShareView? Exempt { get; internal set; }

    /// <summary>Of a move of an epoch, the one view that it was in; null for all.</summary>
    public ShareView? Target { get; internal set; }

    public ChangeOperation Operation { get; internal set; }

    /// <summary>The directory of <see cref="Name"/>, by its inode key.</summary>
    public ulong NameDirectory { get; internal set; }

    public byte KeyCount { get; internal set; }

    public byte NameLength { get; internal set; }

    public readonly DateTime At => new(Ticks, DateTimeKind.Utc);

    /// <summary>Everything became stale, not only some slots.</summary>
    public readonly bool IsEpoch => Operation >= ChangeOperation.Epoch;

    /// <summary>What was touched, as the keys of slots; none of a move of an epoch.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<SlotKey> Keys => ((ReadOnlySpan<SlotKey>)_keys)[..KeyCount];

    /// <summary>The first name that was changed; empty when none was.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Name => ((ReadOnlySpan<byte>)_name)[..NameLength];

    [UnscopedRef]
    internal Span<SlotKey> KeySpace => _keys;

    /// <summary>For each key, how many changes ago one was that touched what has the same chain; 0 for none.</summary>
    [UnscopedRef]
    internal Span<uint> LinkSpace => _links;

    internal readonly uint Link(int key) => _links[key];

    /// <summary>Was a client's view moved by it?</summary>
    public readonly bool Moved(ShareView view) => IsEpoch ? Target is null || Target == view : Exempt != view;

    internal void SetName(ulong directory, ReadOnlySpan<byte> name)
    {
        NameDirectory = directory;
        NameLength = (byte)Math.Min(name.Length, NameBytesMax);
        name[..NameLength].CopyTo(_name);
    }

    [InlineArray(MutationScope.TouchedMax)]
    private struct KeyBuffer
    {
        private SlotKey _first;
    }

    [InlineArray(MutationScope.TouchedMax)]
    private struct LinkBuffer
    {
        private uint _first;
    }

    [InlineArray(NameBytesMax)]
    private struct NameBuffer
    {
        private byte _first;
    }
}
