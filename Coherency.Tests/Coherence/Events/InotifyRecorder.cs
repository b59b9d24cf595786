using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Tests.Coherence.Events;

/// <summary>What inotify(7) of this kernel tells of some paths, without opening, reading and closing of what was only read.</summary>
internal sealed unsafe class InotifyRecorder : IDisposable
{
    /// <summary>
    /// IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF.
    /// </summary>
    private const uint Wanted = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800;

    private readonly int _fd = Libc.InotifyInit(WatchFlags.IN_NONBLOCK | WatchFlags.IN_CLOEXEC);
    private readonly Dictionary<int, string> _labels = [];

    public void Watch(string path, string label)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + '\0'))
        {
            int watch = Libc.InotifyAddWatch(_fd, bytes, Wanted);
            Assert.True(watch >= 0, $"inotify_add_watch: {watch}");
            _labels[watch] = label;
        }
    }

    /// <summary>All that there is now.</summary>
    public List<WatchedEvent> Read()
    {
        List<WatchedEvent> events = [];
        byte[] buffer = new byte[64 * 1024];
        while (true)
        {
            long read;
            fixed (byte* bytes = buffer)
            {
                read = Libc.Read(_fd, bytes, (nuint)buffer.Length);
            }

            if (read <= 0)
            {
                return events;
            }

            ReadOnlySpan<byte> rest = buffer.AsSpan(0, (int)read);
            while (!rest.IsEmpty)
            {
                inotify_event head = MemoryMarshal.Read<inotify_event>(rest);
                ReadOnlySpan<byte> name = rest.Slice(sizeof(inotify_event), (int)head.len);
                int end = name.IndexOf((byte)0);
                events.Add(
                    new WatchedEvent(_labels[head.wd], head.mask, head.cookie, Encoding.UTF8.GetString(end < 0 ? name : name[..end])));
                rest = rest[(sizeof(inotify_event) + name.Length)..];
            }
        }
    }

    public void Dispose() => Libc.Close(_fd);
}

/// <summary>One event of a watch.</summary>
/// <param name="Mask">IN_*.</param>
internal sealed record WatchedEvent(string Watch, uint Mask, uint Cookie, string Name)
{
    private static readonly (uint Bit, string Name)[] Names =
    [
        (0x2, "MODIFY"), (0x4, "ATTRIB"), (0x8, "CLOSE_WRITE"), (0x40, "MOVED_FROM"), (0x80, "MOVED_TO"), (0x100, "CREATE"),
        (0x200, "DELETE"), (0x400, "DELETE_SELF"), (0x800, "MOVE_SELF"), (0x8000, "IGNORED"), (0x40000000, "ISDIR"),
    ];

    public override string ToString() =>
        $"{Watch}: {string.Join('|', Names.Where(one => (Mask & one.Bit) != 0).Select(one => one.Name))} {Name}".TrimEnd();
}
