using System.Text;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest.Coherence;
using Coherency.Host.Coherence.Events;

namespace Coherency.Tests.Coherence.Events;

/// <summary>What one client has not been told: put together where that loses nothing, in order, and bounded.</summary>
public sealed class EventQueueTests
{
    private const ulong Directory = 100;

    private readonly FakeAudience _audience = new();

    [Fact]
    public void What_changes_only_the_inode_is_one_message_until_something_else_befalls_the_name()
    {
        EventQueue queue = new();
        Add(queue, FileEventKinds.Modify, "a", 7);
        Add(queue, FileEventKinds.Attributes, "a", 7);
        Add(queue, FileEventKinds.CloseWrite, "a", 7);
        Add(queue, FileEventKinds.Modify, "b", 8);
        Add(queue, FileEventKinds.Delete, "a", 7);
        Add(queue, FileEventKinds.Create, "a");
        Add(queue, FileEventKinds.Modify, "a", 9);
        Add(queue, FileEventKinds.Modify, "a", 9);
        Add(queue, FileEventKinds.Modify, "a", 10);
        Assert.Equal(
            [
                "Modify, Attributes, CloseWrite a 7", "Modify b 8", "Delete a 7", "Create a 0", "Modify a 9", "Modify a 10",
            ],
            Take(queue).Events.Select(told => $"{told.Kinds} {told.Name} {told.Child}"));
        Assert.Equal(3, queue.Counts.Merged);
        Assert.False(queue.HasContent);
    }

    [Fact]
    public void What_was_taken_is_told_again_when_it_happens_again()
    {
        EventQueue queue = new();
        Add(queue, FileEventKinds.Modify, "a", 7);
        Assert.Single(Take(queue).Events);
        Add(queue, FileEventKinds.Modify, "a", 7);
        Assert.Single(Take(queue).Events);
        Assert.Equal(0, queue.Counts.Merged);
    }

    [Fact]
    public void The_halves_of_a_rename_are_never_in_two_answers()
    {
        for (int before = 150; before < 200; before++)
        {
            EventQueue queue = new();
            for (int i = 0; i < before; i++)
            {
                Add(queue, FileEventKinds.Create, "x");
            }

            queue.Add(
                new FileEvent { Directory = Directory, Name = "old"u8, Kinds = FileEventKinds.MovedFrom, Cookie = 1 },
                new FileEvent { Directory = Directory, Name = "new"u8, Kinds = FileEventKinds.MovedTo, Cookie = 1 });
            int renames = 0;
            while (queue.HasContent)
            {
                EventBlock block = Take(queue, ChannelConstants.BlockBytesMin);
                int old = block.Events.ToList().FindIndex(told => told.Kinds == FileEventKinds.MovedFrom);
                renames += old < 0 ? 0 : 1;
                Assert.True(old < 0 || block.Events[old + 1].Kinds == FileEventKinds.MovedTo);
            }

            Assert.Equal(1, renames);
        }
    }

    [Fact]
    public void What_there_is_no_room_for_is_told_of_its_directory_and_then_of_everything()
    {
        EventQueue queue = new(64 * 1024);
        for (int i = 0; i < 10_000; i++)
        {
            Add(queue, FileEventKinds.Create, $"name{i}");
        }

        Assert.True(queue.MemoryBytes <= 96 * 1024, $"{queue.MemoryBytes} bytes");
        List<ToldEvent> told = [.. TakeAll(queue, out int lostAll)];
        Assert.Equal(0, lostAll);
        Assert.Equal(new ToldEvent(Directory, 0, FileEventKinds.None, 0, FileEventFlags.Changed, string.Empty), told[^1]);
        Assert.Equal(told.Count - 1, told.Select(one => one.Name).Where(name => name.Length > 0).Distinct().Count());
        Assert.Equal(10_000, queue.Counts.Lost + told.Count - 1);

        for (ulong directory = 1; directory <= EventQueue.ChangedMax + 5000; directory++)
        {
            queue.Add(new FileEvent { Directory = directory << 20, Name = "x"u8, Kinds = FileEventKinds.Create });
        }

        Assert.True(queue.MemoryBytes <= 96 * 1024, $"{queue.MemoryBytes} bytes");
        Assert.Empty(TakeAll(queue, out lostAll));
        Assert.Equal(1, lostAll);
        Add(queue, FileEventKinds.Create, "later");
        Assert.Equal("later", Assert.Single(TakeAll(queue, out lostAll)).Name);
        Assert.Equal(0, lostAll);
    }

    [Fact]
    public void An_inode_that_left_its_directory_unseen_is_told_by_itself()
    {
        EventQueue queue = new(64 * 1024);
        for (int i = 0; i < 5_000; i++)
        {
            Add(queue, FileEventKinds.Create, $"name{i}");
        }

        Add(queue, FileEventKinds.Delete, "watched", 77);
        Assert.Contains(TakeAll(queue, out _), one => one.Directory == 77 && one.Flags == FileEventFlags.Changed);
    }

    [Fact]
    public void Whether_a_name_was_the_last_one_is_looked_up_when_it_is_told()
    {
        EventQueue queue = new();
        queue.Add(new FileEvent { Directory = Directory, Name = "a"u8, Child = 7, Kinds = FileEventKinds.Delete }, EventLook.Removed);
        queue.Add(new FileEvent { Directory = Directory, Name = "b"u8, Child = 8, Kinds = FileEventKinds.Delete }, EventLook.Removed);
        _audience.Removed.Add(8);
        Assert.Equal([FileEventFlags.Exists, FileEventFlags.Gone], Take(queue).Events.Select(told => told.Flags));
    }

    [Theory]
    [InlineData(false, "Create Delete")]
    [InlineData(true, "Delete Create")]
    public void Of_made_and_removed_the_name_tells_which_was_first(bool exists, string order)
    {
        EventQueue queue = new();
        FileEvent happened = new() { Directory = Directory, Name = "a"u8, Child = 7 };
        queue.Add(
            happened with { Kinds = FileEventKinds.Create },
            happened with { Kinds = FileEventKinds.Delete },
            EventLook.Order | EventLook.Removed);
        if (exists)
        {
            _audience.Names.Add("a");
        }

        Assert.Equal(order, string.Join(' ', Take(queue).Events.Select(told => told.Kinds)));
    }

    /// <summary>
    /// Names come and go in some directories, and a reader that is slow, or very slow, keeps a picture of them by what it is told alone;
    /// only where it is told that events were lost it looks. In the end the picture is right.
    /// </summary>
    [Theory]
    [InlineData(1, 64 * 1024)]
    [InlineData(2, 64 * 1024)]
    [InlineData(3, 64 * 1024)]
    [InlineData(4, 256 * 1024)]
    public void A_picture_made_of_what_is_told_is_right_in_the_end(int seed, int bytesMax)
    {
        Random random = new(seed);
        EventQueue queue = new(bytesMax);
        HashSet<(ulong, string)> truth = [];
        HashSet<(ulong, string)> picture = [];
        bool sawChanged = false;
        bool sawAll = false;
        for (int i = 0; i < 200_000; i++)
        {
            Change();
            if (random.Next(i / 50_000 % 2 == 0 ? 20 : 20_000) == 0)
            {
                Look();
            }

            if (i == 150_000)
            {
                queue.LoseAll();
            }
        }

        while (queue.HasContent)
        {
            Look();
        }

        Assert.Equal(truth.Order(), picture.Order());
        Assert.True(sawChanged && sawAll);

        void Change()
        {
            (ulong Directory, string Name) name = ((ulong)random.Next(1, 40), $"n{random.Next(100)}");
            (ulong Directory, string Name) other = ((ulong)random.Next(1, 40), $"n{random.Next(100)}");
            if (truth.Add(name))
            {
                Add(queue, FileEventKinds.Create, name.Name, 0, name.Directory);
            }
            else if (random.Next(3) == 0)
            {
                Add(queue, FileEventKinds.Modify, name.Name, 5, name.Directory);
            }
            else if (random.Next(2) == 0)
            {
                truth.Remove(name);
                Add(queue, FileEventKinds.Delete, name.Name, (ulong)random.Next(2), name.Directory);
            }
            else if (name != other)
            {
                truth.Remove(name);
                truth.Add(other);
                queue.Add(
                    new FileEvent
                    {
                        Directory = name.Directory,
                        Name = Encoding.ASCII.GetBytes(name.Name),
                        Kinds = FileEventKinds.MovedFrom,
                        Cookie = 1,
                    },
                    new FileEvent
                    {
                        Directory = other.Directory,
                        Name = Encoding.ASCII.GetBytes(other.Name),
                        Kinds = FileEventKinds.MovedTo,
                        Cookie = 1,
                    });
            }
        }

        void Look()
        {
            EventBlock block = Take(queue);
            if (block.LostAll)
            {
                sawAll = true;
                picture = [.. truth];
            }

            foreach (ToldEvent told in block.Events)
            {
                if (told.Flags.HasFlag(FileEventFlags.Changed))
                {
                    sawChanged = true;
                    picture.RemoveWhere(name => name.Item1 == told.Directory);
                    picture.UnionWith(truth.Where(name => name.Item1 == told.Directory));
                }
                else if (told.Kinds is FileEventKinds.Create or FileEventKinds.MovedTo)
                {
                    picture.Add((told.Directory, told.Name));
                }
                else if (told.Kinds is FileEventKinds.Delete or FileEventKinds.MovedFrom)
                {
                    picture.Remove((told.Directory, told.Name));
                }
            }
        }
    }

    private static void Add(EventQueue queue, FileEventKinds kind, string name, ulong child = 0, ulong directory = Directory) =>
        queue.Add(new FileEvent { Directory = directory, Name = Encoding.UTF8.GetBytes(name), Child = child, Kinds = kind });

    private EventBlock Take(EventQueue queue, int bytes = ChannelConstants.BlockBytesMax)
    {
        byte[] block = new byte[bytes];
        return EventBlock.Parse(block.AsSpan(0, queue.Take(block, _audience)));
    }

    private List<ToldEvent> TakeAll(EventQueue queue, out int lostAll)
    {
        List<ToldEvent> all = [];
        lostAll = 0;
        while (queue.HasContent)
        {
            EventBlock block = Take(queue);
            lostAll += block.LostAll ? 1 : 0;
            all.AddRange(block.Events);
        }

        return all;
    }

    private sealed class FakeAudience : IEventAudience
    {
        public HashSet<ulong> Removed { get; } = [];

        public HashSet<string> Names { get; } = [];

        public bool Holds(ulong key) => true;

        public bool IsRemoved(ulong key) => Removed.Contains(key);

        public bool HasName(ulong directory, ReadOnlySpan<byte> name) => Names.Contains(Encoding.UTF8.GetString(name));
    }
}
