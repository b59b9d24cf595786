using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Xunit;

namespace Coherency.Tests.Coherence;

/// <summary>A view's table whose every slot is compared with what it was before.</summary>
internal sealed class WatchedTable : IDisposable
{
    /// <summary>So many that the few of a test seldom share one.</summary>
    private const int Slots = 1 << 20;

    private readonly ulong[] _seen = new ulong[Slots];

    public WatchedTable(ShareGroup group, ulong rootKey)
    {
        View = new TableView(group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("test", rootKey, Slots, 1000)));
        Assert.True(View.TryAttach(out _));
        TakeMoves();
    }

    public TableView View { get; }

    /// <summary>Slots whose version has moved since the last call, and by how much; no change may be under way.</summary>
    public Dictionary<int, ulong> TakeMoves()
    {
        Dictionary<int, ulong> moves = [];
        for (int i = 0; i < Slots; i++)
        {
            ulong word = View.Table.ReadSlot(new SlotKey((ulong)i));
            if (word != _seen[i])
            {
                Assert.Equal(0UL, word & VersionTableConstants.WritersMask);
                moves.Add(i, (word - _seen[i]) >> VersionTableConstants.VersionShift);
                _seen[i] = word;
            }
        }

        return moves;
    }

    /// <summary>What <see cref="TakeMoves"/> finds when each of these has moved once, or as often as it stands there.</summary>
    public static Dictionary<int, ulong> MovesOf(params IEnumerable<SlotKey> slots) =>
        slots.CountBy(slot => (int)(slot.Value % Slots)).ToDictionary(entry => entry.Key, entry => (ulong)entry.Value);

    public void Dispose() => View.Dispose();
}
