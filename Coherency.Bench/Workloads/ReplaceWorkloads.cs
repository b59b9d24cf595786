using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>
/// Writes a file, writes a second one under a temporary name and renames it over the first, as editors and package managers do;
/// then removes it.
/// </summary>
internal sealed class ReplaceStormWorkload(WorkloadContext context) : NameWorkload(context)
{
    private readonly byte[][] _names = BenchNodes.ScratchNames(context, "target");
    private readonly byte[][] _temporary = BenchNodes.ScratchNames(context, "temporary");
    private readonly (OpenFile Target, OpenFile Temporary)[] _files = new (OpenFile, OpenFile)[context.Lanes];

    public override bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                slot.WriteCreate(Parent, _names[lane]);
                return true;
            case 1:
                _files[lane].Target = slot.ReadCreated();
                slot.WriteWrite(_files[lane].Target, offset: 0, BenchTree.FileBytes);
                return true;
            case 2:
                slot.WriteRelease(_files[lane].Target);
                return true;
            case 3:
                slot.WriteCreate(Parent, _temporary[lane]);
                return true;
            case 4:
                _files[lane].Temporary = slot.ReadCreated();
                slot.WriteWrite(_files[lane].Temporary, offset: 0, BenchTree.FileBytes);
                return true;
            case 5:
                slot.WriteRelease(_files[lane].Temporary);
                return true;
            case 6:
                slot.WriteRename(Parent, _temporary[lane], _names[lane]);
                return true;
            case 7:
                slot.WriteUnlink(Parent, _names[lane]);
                return true;
            default:
                Forget(_files[lane].Target.Node);
                return Forget(_files[lane].Temporary.Node);
        }
    }
}

/// <summary>
/// Delivers a message as a mail server does and reads it once: writes it under a temporary name, fsync, rename; then finds,
/// opens and reads it, and removes it.
/// </summary>
internal sealed class MailWorkload(WorkloadContext context) : NameWorkload(context)
{
    private readonly byte[][] _incoming = BenchNodes.ScratchNames(context, "incoming");
    private readonly byte[][] _messages = BenchNodes.ScratchNames(context, "message");
    private readonly OpenFile[] _files = new OpenFile[context.Lanes];

    public override bool WriteNext(int lane, int step, RequestSlot slot) =>
        step <= DeliverySteps ? Deliver(lane, step, slot) : Read(lane, step, slot);

    private const int DeliverySteps = 4;

    private bool Deliver(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                slot.WriteCreate(Parent, _incoming[lane]);
                return true;
            case 1:
                _files[lane] = slot.ReadCreated();
                slot.WriteWrite(_files[lane], offset: 0, BenchTree.FileBytes);
                return true;
            case 2:
                slot.WriteFsync(_files[lane]);
                return true;
            case 3:
                slot.WriteRelease(_files[lane]);
                return true;
            default:
                slot.WriteRename(Parent, _incoming[lane], _messages[lane]);
                return true;
        }
    }

    private bool Read(int lane, int step, RequestSlot slot)
    {
        switch (step - DeliverySteps)
        {
            case 1:
                slot.WriteLookup(Parent, _messages[lane]);
                return true;
            case 2:
                _files[lane] = new OpenFile(slot.ReadNode(), default);
                slot.WriteOpen(_files[lane].Node);
                return true;
            case 3:
                _files[lane] = slot.ReadOpened(_files[lane].Node);
                slot.WriteRead(_files[lane], offset: 0, BenchTree.FileBytes);
                return true;
            case 4:
                slot.WriteRelease(_files[lane]);
                return true;
            case 5:
                slot.WriteUnlink(Parent, _messages[lane]);
                return true;
            default:
                const ulong CreateAndLookup = 2;
                return Forget(_files[lane].Node, CreateAndLookup);
        }
    }
}
