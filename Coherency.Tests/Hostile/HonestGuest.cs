using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Files;

namespace Coherency.Tests.Hostile;

/// <summary>A guest that minds its own files, and looks whether everything is as it left it.</summary>
internal sealed class HonestGuest : IDisposable
{
    private readonly VirtioFsGuest _guest;
    private readonly VersionTableReader _table;
    private readonly CoherentCache _cache;
    private readonly GuestFile _unlinked;
    private readonly NodeId _renames;

    public HonestGuest(string socket)
    {
        _guest = VirtioFsGuest.Connect(socket);
        _table = VersionTableReader.Open(socket + ".table");
        _cache = CoherentCache.Attach(_guest.Fuse, _table, withoutOpens: false);
        _guest.Files.CreateDirectory("/changes");
        _renames = _cache.CreateDirectory(NodeId.Root, "renames");
        _cache.CreateFile(_renames, "file");
        _unlinked = _guest.Files.CreateFile("/unlinked");
        _unlinked.Write(0, "kept"u8);
        _guest.Files.DeleteFile("/unlinked");
    }

    /// <summary>Rounds that it got through.</summary>
    public int Rounds { get; private set; }

    /// <summary>Looks at everything once, and changes it.</summary>
    /// <exception cref="IOException">The daemon refused something.</exception>
    public void GoRound()
    {
        Rounds++;
        MakeAndRemove($"/changes/file{Rounds}");
        Rename("file", "renamed");
        Rename("renamed", "file");
        byte[] kept = new byte[5];
        Assert.Equal(4, _unlinked.Read(0, kept));
        Assert.Equal("kept"u8, kept.AsSpan(0, 4));
    }

    public void Dispose()
    {
        _unlinked.Dispose();
        _cache.Dispose();
        _table.Dispose();
        _guest.Dispose();
    }

    /// <summary>Past its cache.</summary>
    private void MakeAndRemove(string path)
    {
        byte[] content = Encoding.UTF8.GetBytes($"content of {path}");
        using (GuestFile file = _guest.Files.CreateFile(path))
        {
            file.Write(0, content);
            Assert.True(file.TryLock(), "somebody else has locked it");
            file.Unlock();
        }

        Assert.Equal(content, _guest.Files.ReadAllBytes(path));
        Assert.Equal(content.Length, _guest.Files.Stat(path).Size);
        Assert.Single(_guest.Files.List("/changes"));
        _guest.Files.DeleteFile(path);
        Assert.Empty(_guest.Files.List("/changes"));
    }

    /// <summary>What it caches of its own change is right.</summary>
    private void Rename(string from, string to)
    {
        NodeId? file = _cache.Lookup(_renames, from);
        _cache.Rename(_renames, from, _renames, to);
        Assert.Null(_cache.Lookup(_renames, from));
        Assert.Equal(file, _cache.Lookup(_renames, to));
        Assert.Equal([to], _cache.List(_renames));
    }
}
