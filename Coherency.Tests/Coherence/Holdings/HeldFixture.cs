using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What one guest holds, without a guest: the test says what it is given.</summary>
internal sealed class HeldFixture : IDisposable
{
    public const ulong RootKey = 0x7777_0000_0000_0999;

    public HeldFixture(int slots = 1 << 20, int changes = ChangeLog.DefaultCapacity)
    {
        Log = new ChangeLog(changes);
        Group = new ShareGroup(Log);
        View = new TableView(Group, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", RootKey, slots, 1000)))
        {
            Name = "own",
        };
        Held = new HeldEntries(View);
        Held.Begin(this);
    }

    public ChangeLog Log { get; }

    public ShareGroup Group { get; }

    public TableView View { get; }

    public HeldEntries Held { get; }

    public HoldingsQuery Query => new([new HeldGuest("own", "share", Held)]);

    public static ulong KeyOf(ulong node) => node == NodeId.Root.Value ? RootKey : node;

    public void Give(ulong parent, ReadOnlySpan<byte> name, ulong child, uint type = StatFlags.S_IFREG) =>
        Held.Give(this, Held.Start(), new NodeId(parent), name, new NodeId(child), type, TimeSpan.MaxValue, TimeSpan.MaxValue);

    /// <summary>Another client changes something.</summary>
    public void Change(ShareView? by, params ReadOnlySpan<TouchedObject> touched)
    {
        using (Group.Begin(by, touched, new ChangeOrigin(ChangeOperation.Write)))
        {
        }
    }

    public List<HeldFinding> Findings(bool staleOnly = false)
    {
        HeldScan scan = new() { StaleOnly = staleOnly };
        List<HeldFinding> all = [];
        bool goesOn;
        do
        {
            goesOn = Held.Scan(scan);
            all.AddRange(scan.Findings);
        }
        while (goesOn);
        return all;
    }

    public void Dispose()
    {
        Held.Dispose();
        View.Dispose();
    }
}
