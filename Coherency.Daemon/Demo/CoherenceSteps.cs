using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Versioning.Abi;
using Coherency.Guest.Coherence;

namespace Coherency.Daemon.Demo;

/// <summary>The version table at work: guests that cache for ever, ask for nothing that is unchanged, and miss nothing that is.</summary>
internal static class CoherenceSteps
{
    private const int Files = 500;
    private const int Rounds = 20;
    private const int Changes = 2000;

    /// <summary>Answers with events, or empty ones a second after each other.</summary>
    private const int PollsMax = 600;

    public static IReadOnlyList<DemoStep> All { get; } =
    [
        new("b caches what a made", "looks", FillCache),
        new("b looks again, 20 times", "looks", LookAgain),
        new("a works beside it, b looks", "looks", LookWhileOthersWork),
        new("a changes, b looks at once", "changes", ChangeAndLook),
        new("a makes files, b is told", "events", HearOfChanges),
    ];

    private static int FillCache(DemoGuests guests)
    {
        NodeId folder = guests.CacheOfA.CreateDirectory(NodeId.Root, "cached");
        foreach (int i in Enumerable.Range(0, Files))
        {
            guests.CacheOfA.CreateFile(folder, $"file{i}");
        }

        return LookAtAll(guests.CacheOfB);
    }

    private static int LookAgain(DemoGuests guests) => Enumerable.Range(0, Rounds).Sum(_ => LookAtAll(guests.CacheOfB));

    private static int LookWhileOthersWork(DemoGuests guests)
    {
        NodeId folder = FolderOf(guests.CacheOfA);
        int looks = 0;
        foreach (int round in Enumerable.Range(0, Rounds))
        {
            guests.CacheOfA.CreateFile(folder, $"new{round}");
            looks += LookAtAll(guests.CacheOfB);
            guests.CacheOfA.DeleteFile(folder, $"new{round}");
        }

        return looks;
    }

    private static int ChangeAndLook(DemoGuests guests)
    {
        NodeId folder = FolderOf(guests.CacheOfA);
        NodeId file = guests.CacheOfA.Lookup(folder, "file0")!.Value;
        int stale = 0;
        foreach (int i in Enumerable.Range(1, Changes / 2))
        {
            guests.CacheOfA.SetAttributes(file, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i });
            stale += guests.CacheOfB.GetAttributes(file).size == (ulong)i ? 0 : 1;
            guests.CacheOfA.Rename(folder, i % 2 == 1 ? "file1" : "moved", folder, i % 2 == 1 ? "moved" : "file1");
            bool moved = guests.CacheOfB.Lookup(folder, "moved") is not null && guests.CacheOfB.Lookup(folder, "file1") is null;
            stale += moved == (i % 2 == 1) ? 0 : 1;
        }

        DemoSteps.Expect(stale == 0, $"{stale} answers of guest b were stale");
        return Changes;
    }

    private static int HearOfChanges(DemoGuests guests)
    {
        using EventChannel channel = EventChannel.Open(guests.B.Fuse);
        NodeId folder = FolderOf(guests.CacheOfA);
        HashSet<string> made = [.. Enumerable.Range(0, Files).Select(i => $"told{i}")];
        foreach (string name in made)
        {
            guests.CacheOfA.CreateFile(folder, name);
        }

        HashSet<string> told = [];
        for (int poll = 0; poll < PollsMax && !told.IsSupersetOf(made); poll++)
        {
            EventBlock block = channel.Poll(TimeSpan.FromSeconds(1));
            told.UnionWith(block.Events.Where(one => one.Kinds.HasFlag(FileEventKinds.Create)).Select(one => one.Name));
        }

        DemoSteps.Expect(told.IsSupersetOf(made), $"guest b was told of {told.Count} files");
        return Files;
    }

    /// <summary>Each file's name and attributes, and a name beside it that does not exist.</summary>
    private static int LookAtAll(CoherentCache cache)
    {
        NodeId folder = FolderOf(cache);
        foreach (int i in Enumerable.Range(0, Files))
        {
            DemoSteps.Expect(cache.GetAttributes(cache.Lookup(folder, $"file{i}")!.Value).size == 0, $"file{i} is not empty");
            DemoSteps.Expect(cache.Lookup(folder, $"absent{i}") is null, $"absent{i} exists");
        }

        return 3 * Files;
    }

    private static NodeId FolderOf(CoherentCache cache) => cache.Lookup(NodeId.Root, "cached")!.Value;
}
