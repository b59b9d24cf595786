using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Operations that make and remove names in one directory; each lane has names of its own.</summary>
internal abstract class NameWorkload(WorkloadContext context) : IWorkload
{
    protected NodeId Parent { get; } = BenchNodes.Find(context.Fuse, BenchTree.ScratchDirectory);

    protected WorkloadContext Context { get; } = context;

    public abstract bool WriteNext(int lane, int step, RequestSlot slot);

    public virtual bool Permits(FuseOpcode opcode, Errno errno) => false;

    public virtual void Finish() => Context.Fuse.DrainForgets();

    /// <summary>Gives one reference back; the last one lets the daemon forget the inode.</summary>
    protected bool Forget(NodeId node, ulong count = 1)
    {
        Context.Fuse.Forget(node, count);
        return false;
    }
}

/// <summary>Makes a file, removes its name, closes it, forgets it.</summary>
internal sealed class CreateUnlinkWorkload(WorkloadContext context) : NameWorkload(context)
{
    private readonly byte[][] _names = BenchNodes.ScratchNames(context, "create");
    private readonly OpenFile[] _files = new OpenFile[context.Lanes];

    public override bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                slot.WriteCreate(Parent, _names[lane]);
                return true;
            case 1:
                _files[lane] = slot.ReadCreated();
                slot.WriteUnlink(Parent, _names[lane]);
                return true;
            case 2:
                slot.WriteRelease(_files[lane]);
                return true;
            default:
                return Forget(_files[lane].Node);
        }
    }
}

/// <summary>Makes a directory and removes it.</summary>
internal sealed class MkDirRmDirWorkload(WorkloadContext context) : NameWorkload(context)
{
    private readonly byte[][] _names = BenchNodes.ScratchNames(context, "mkdir");
    private readonly NodeId[] _nodes = new NodeId[context.Lanes];

    public override bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                slot.WriteMkDir(Parent, _names[lane]);
                return true;
            case 1:
                _nodes[lane] = slot.ReadNode();
                slot.WriteRmDir(Parent, _names[lane]);
                return true;
            default:
                return Forget(_nodes[lane]);
        }
    }
}

/// <summary>Renames a file to and fro: one request each time.</summary>
internal sealed class RenameWorkload : NameWorkload
{
    private readonly byte[][] _here;
    private readonly byte[][] _there;

    public RenameWorkload(WorkloadContext context)
        : base(context)
    {
        _here = BenchNodes.ScratchNames(context, "rename-a");
        _there = BenchNodes.ScratchNames(context, "rename-b");
        BenchNodes.MakeFiles(context, Parent, _here);
    }

    public override bool WriteNext(int lane, int step, RequestSlot slot)
    {
        if (step > 0)
        {
            (_here[lane], _there[lane]) = (_there[lane], _here[lane]);
            return false;
        }

        slot.WriteRename(Parent, _here[lane], _there[lane]);
        return true;
    }

    public override void Finish()
    {
        Array.ForEach(_here, name => Context.Fuse.Unlink(Parent, name));
        base.Finish();
    }
}

/// <summary>Gives a file a second name and takes it away.</summary>
internal sealed class LinkUnlinkWorkload : NameWorkload
{
    private readonly byte[][] _files;
    private readonly byte[][] _links;
    private readonly NodeId[] _nodes;

    public LinkUnlinkWorkload(WorkloadContext context)
        : base(context)
    {
        _files = BenchNodes.ScratchNames(context, "link-file");
        _links = BenchNodes.ScratchNames(context, "link-name");
        _nodes = BenchNodes.MakeFiles(context, Parent, _files);
    }

    public override bool WriteNext(int lane, int step, RequestSlot slot)
    {
        switch (step)
        {
            case 0:
                slot.WriteLink(_nodes[lane], Parent, _links[lane]);
                return true;
            case 1:
                slot.WriteUnlink(Parent, _links[lane]);
                return true;
            default:
                // LINK's reply is a lookup as well; the reference of the file's making stays.
                return Forget(_nodes[lane]);
        }
    }

    public override void Finish()
    {
        Array.ForEach(_files, name => Context.Fuse.Unlink(Parent, name));
        base.Finish();
    }
}
