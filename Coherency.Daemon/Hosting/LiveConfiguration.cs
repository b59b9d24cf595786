using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Hosting;

/// <summary>The configuration of a running server: says what it is now, and has the server follow a file that has changed.</summary>
/// <param name="started">What the server was started with.</param>
/// <param name="expect">Says which guests of keepers are expected from here on; null when none are served.</param>
/// <param name="kept">Guests that outlive the daemon without being in the file; null when nobody may be added so.</param>
internal sealed class LiveConfiguration(
    ServeConfiguration started, GuestServer server, PersistentGuests? kept = null, Action<IReadOnlyList<ExpectedGuest>>? expect = null)
{
    private readonly Lock _lock = new();

    /// <summary>Those that the file has named; who was added otherwise is none of its.</summary>
    private readonly Dictionary<string, ServedGuest> _configured =
        server.Guests.Where(guest => guest.Endpoint is { IsGiven: false } && kept?.Contains(guest.Name) != true)
            .ToDictionary(guest => guest.Name);

    /// <summary>Expected by the command line.</summary>
    private readonly ExpectedGuest[] _expected = [.. started.Expect.Except(started.Source?.AsRead.Expect ?? [])];

    private ConfigurationSource? _source = started.Source;

    /// <summary>What a file would say from which a daemon would serve what this one does, but for guests that keepers brought.</summary>
    public ServeConfiguration Describe() => started with
    {
        Shares = [.. server.Guests.Where(guest => guest.Endpoint is { IsGiven: false })
            .GroupBy(guest => JsonSerializer.Serialize(WithoutGuests(guest.Wanted), ConfigurationJson.Default.ShareConfiguration))
            .Select(share => share.First().Wanted with { Guests = [.. share.Select(guest => guest.Configuration)] })],
    };

    /// <summary>Serves more guests, as <see cref="GuestServer.Add(ShareConfiguration)"/> does.</summary>
    /// <param name="persistent">The next daemon of this instance serves them too.</param>
    /// <exception cref="UsageException">As there; or nobody may be added persistently.</exception>
    /// <exception cref="IOException">As there; or it cannot be written down: then they are not served.</exception>
    public IReadOnlyList<ServedGuest> Add(ShareConfiguration share, bool persistent)
    {
        if (persistent && kept is null)
        {
            throw new UsageException(
                "this daemon cannot keep guests beyond its end: it has no instance of its own (--instance), or its user no folder of " +
                "state");
        }

        IReadOnlyList<ServedGuest> added = server.Add(share);
        try
        {
            if (persistent)
            {
                kept!.Add(share);
            }
        }
        catch
        {
            foreach (ServedGuest guest in added)
            {
                server.Remove(guest);
            }

            throw;
        }

        return added;
    }

    /// <summary>Serves a guest no more, and where it was added persistently, the next daemon does not either.</summary>
    /// <returns>False when somebody else does it, or did.</returns>
    /// <exception cref="IOException">That cannot be written down: it is still served.</exception>
    public bool Remove(ServedGuest guest)
    {
        kept?.Remove(guest.Name);
        return server.Remove(guest);
    }

    /// <summary>Reads the file again; adds the guests that are new in it and removes those that are gone.</summary>
    /// <exception cref="UsageException">
    /// There is no file, or it says something impossible, or something that cannot be changed while the daemon runs: then nothing was
    /// done. Or a guest cannot be added: then the others were, up to that one.
    /// </exception>
    /// <exception cref="IOException">As for a guest that cannot be added.</exception>
    public (IReadOnlyList<string> Added, IReadOnlyList<string> Removed) Reload()
    {
        lock (_lock)
        {
            if (_source is null)
            {
                throw new UsageException("the daemon was started without --config: there is nothing to read again");
            }

            ServeConfiguration wanted = ConfigurationFile.Read(_source.Path, _source.IsStandard);
            ConfigurationFile.CheckServes(wanted with { Attach = wanted.Attach ?? started.Attach });
            ServedGuest[] present = [.. _configured.Values.Where(server.Guests.Contains)];
            RefuseChanges(_source.AsRead, wanted, present);
            HashSet<string> names = [.. wanted.Shares.SelectMany(share => share.Guests).Select(guest => guest.Name)];
            string[] removed = [.. present.Where(guest => !names.Contains(guest.Name) && server.Remove(guest)).Select(guest => guest.Name)];
            names.ExceptWith(present.Select(guest => guest.Name));
            List<string> added = [];
            foreach (ShareConfiguration share in wanted.Shares)
            {
                GuestConfiguration[] coming = [.. share.Guests.Where(guest => names.Contains(guest.Name))];
                foreach (ServedGuest guest in coming.Length == 0 ? [] : server.Add(share with { Guests = coming }))
                {
                    _configured[guest.Name] = guest;
                    added.Add(guest.Name);
                }
            }

            expect?.Invoke([.. wanted.Expect, .. _expected]);
            _source = wanted.Source;
            return (added, removed);
        }
    }

    /// <summary>What the command line has said beside the file stays as it is.</summary>
    private void RefuseChanges(ServeConfiguration before, ServeConfiguration wanted, ServedGuest[] present)
    {
        List<string> problems = [.. Differences(Beside(before), Beside(wanted), ConfigurationJson.Default.ServeConfiguration)
            .Select(name => $"{name} cannot be changed while the daemon runs")];
        foreach (ShareConfiguration share in wanted.Shares)
        {
            foreach (GuestConfiguration guest in share.Guests)
            {
                if (kept?.Contains(guest.Name) == true)
                {
                    problems.Add($"{guest.Name} was added persistently already: remove it first ('coherencyd admin remove {guest.Name}')");
                }

                if (present.FirstOrDefault(other => other.Name == guest.Name) is { } other)
                {
                    problems.AddRange(Differences(
                            WithoutGuests(other.Wanted), WithoutGuests(share), ConfigurationJson.Default.ShareConfiguration)
                        .Concat(Differences(other.Configuration, guest, ConfigurationJson.Default.GuestConfiguration))
                        .Select(name => $"{name} of guest {guest.Name} cannot be changed while it is served"));
                }
            }
        }

        if (problems.Count > 0)
        {
            throw new UsageException($"nothing was changed: {string.Join("; ", problems)}");
        }
    }

    /// <summary>What is no share or guest, nor for editors.</summary>
    private static ServeConfiguration Beside(ServeConfiguration whole) => whole with { Shares = [], Expect = [], Schema = null };

    private static ShareConfiguration WithoutGuests(ShareConfiguration share) => share with { Guests = [] };

    /// <summary>The names, as in the file, of what is not alike.</summary>
    private static IEnumerable<string> Differences<T>(T before, T after, JsonTypeInfo<T> type)
    {
        JsonObject one = JsonSerializer.SerializeToNode(before, type)!.AsObject();
        JsonObject other = JsonSerializer.SerializeToNode(after, type)!.AsObject();
        return one.Where(property => !JsonNode.DeepEquals(property.Value, other[property.Key])).Select(property => property.Key);
    }
}
