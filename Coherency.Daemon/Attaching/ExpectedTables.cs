using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Attaching;

/// <summary>
/// The version tables of guests that keepers bring. Those of guests that are expected are there before their keepers come and after
/// they have gone: libvirt starts a keeper and QEMU at the same time, and QEMU opens the file that its command line names at once.
/// </summary>
internal sealed class ExpectedTables(string folder)
{
    private readonly Lock _lock = new();
    private IReadOnlyList<ExpectedGuest> _guests = [];

    public string Folder { get; } = folder;

    /// <summary>What is known beforehand of a guest; null when nothing is.</summary>
    public ExpectedGuest? Find(string guest)
    {
        lock (_lock)
        {
            return _guests.FirstOrDefault(expected => expected.Name == guest);
        }
    }

    /// <summary>Makes the tables of those that are new; those of others go with their guests.</summary>
    /// <exception cref="UsageException">A name cannot be a guest's.</exception>
    /// <exception cref="VersionTableException">A table cannot be made; those before it are.</exception>
    public void Expect(IReadOnlyList<ExpectedGuest> guests)
    {
        lock (_lock)
        {
            foreach (string name in guests.Except(_guests).Select(guest => guest.Name))
            {
                RequestedGuest.CheckName(name);
                ShareConfiguration share = RequestedGuest.WithTables(new ShareConfiguration { SharedDir = "/" }, Folder);
                string path = ConfigurationFile.TablePathOf(share, new GuestConfiguration { Name = name, Socket = name });
                // One that a guest has now is there.
                if (!File.Exists(path))
                {
                    VersionTableWriter.Reserve(path, share.TableSlots);
                }
            }

            _guests = guests;
        }
    }
}
