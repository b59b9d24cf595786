using Coherency.Core.Versioning.Abi;
using Coherency.Guest.Coherence;

namespace Coherency.Tests.Coherence.Events;

/// <summary>
/// What a guest's kernel raises for what it is told (docs/version-table.md, "The channel"), by the watches on some inodes.
/// </summary>
internal sealed class RaisedEvents
{
    private const uint Attrib = 0x4;
    private const uint DeleteSelf = 0x400;
    private const uint MoveSelf = 0x800;
    private const uint Ignored = 0x8000;
    private const uint IsDirectory = (uint)FileEventKinds.IsDirectory;

    private readonly Dictionary<ulong, string> _watches = [];

    public void Watch(ulong key, string label) => _watches[key] = label;

    public List<WatchedEvent> Raise(IEnumerable<ToldEvent> told)
    {
        List<WatchedEvent> raised = [];
        foreach (ToldEvent one in told)
        {
            Raise(one, raised);
        }

        return raised;
    }

    private void Raise(ToldEvent told, List<WatchedEvent> raised)
    {
        uint type = (uint)told.Kinds & IsDirectory;
        string? directory = told.Directory == 0 ? null : _watches.GetValueOrDefault(told.Directory);
        string? child = told.Child == 0 ? null : _watches.GetValueOrDefault(told.Child);
        foreach (FileEventKinds kind in new[] { FileEventKinds.Create, FileEventKinds.MovedFrom, FileEventKinds.MovedTo })
        {
            Add(directory, kind, told.Name);
        }

        foreach (FileEventKinds kind in new[] { FileEventKinds.Modify, FileEventKinds.Attributes, FileEventKinds.CloseWrite })
        {
            Add(directory, kind, told.Name);
            Add(child, kind, string.Empty);
        }

        if (told.Kinds.HasFlag(FileEventKinds.MovedTo) && child is not null)
        {
            raised.Add(new WatchedEvent(child, MoveSelf, 0, string.Empty));
        }

        if (told.Kinds.HasFlag(FileEventKinds.Delete) && child is not null && type == 0)
        {
            raised.Add(new WatchedEvent(child, Attrib, 0, string.Empty));
        }

        if (told.Flags.HasFlag(FileEventFlags.Gone) && child is not null)
        {
            raised.Add(new WatchedEvent(child, DeleteSelf, 0, string.Empty));
            raised.Add(new WatchedEvent(child, Ignored, 0, string.Empty));
            _watches.Remove(told.Child);
        }

        Add(directory, FileEventKinds.Delete, told.Name);

        void Add(string? watch, FileEventKinds kind, string name)
        {
            if (watch is not null && told.Kinds.HasFlag(kind))
            {
                // Of a replaced inode it says which rename replaced it, to the guest's kernel.
                raised.Add(new WatchedEvent(watch, (uint)kind | type, name.Length == 0 ? 0 : told.Cookie, name));
            }
        }
    }
}
