using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Hosting;

/// <summary>The configuration of a running server: says what it is now, and has the server follow a file that has changed.</summary>
/// <param name="started">What the server was started with.</param>
/// <param name="expect">Says which guests of keepers are expected from here on; null when none are served.</param>
internal sealed class LiveConfiguration(ServeConfiguration started, GuestServer server, Action<IReadOnlyList<ExpectedGuest>>? expect = null)
{
    private readonly Lock _lock = new();

    /// <summary>Those that the file has named; who was added otherwise is none of its.</summary>
    private readonly Dictionary<string, ServedGuest> _configured =
        server.Guests.Where(guest => guest.Endpoint is { IsGiven: false }).ToDictionary(guest => guest.Name);

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

            ServeConfiguration wanted = ConfigurationFile.Read(_source.Path);
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
    private static void RefuseChanges(ServeConfiguration before, ServeConfiguration wanted, ServedGuest[] present)
    {
        List<string> problems = [.. Differences(Beside(before), Beside(wanted), ConfigurationJson.Default.ServeConfiguration)
            .Select(name => $"{name} cannot be changed while the daemon runs")];
        foreach (ShareConfiguration share in wanted.Shares)
        {
            foreach (GuestConfiguration guest in share.Guests)
            {
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
