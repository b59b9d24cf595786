using System.Text.Json;

namespace Coherency.Daemon.Configuration;

/// <summary>Guests that a running daemon was asked to serve from then on, after a restart too: a file beside the configuration.</summary>
internal sealed class PersistentGuests
{
    private readonly Lock _lock = new();
    private readonly string _file;
    private IReadOnlyList<ShareConfiguration> _shares;

    private PersistentGuests(string file, IReadOnlyList<ShareConfiguration> shares) => (_file, _shares) = (file, shares);

    /// <summary>With their guests.</summary>
    public IReadOnlyList<ShareConfiguration> Shares => Volatile.Read(ref _shares);

    /// <summary>Reads what the last daemon of this instance left.</summary>
    /// <param name="instance">Its name; null for the one without.</param>
    /// <returns>Null when this user has no place for it.</returns>
    /// <exception cref="UsageException">The file is damaged; the message says where.</exception>
    public static PersistentGuests? Read(string? instance)
    {
        if (StandardPlaces.State is not { } folder)
        {
            return null;
        }

        string file = Path.Combine(folder, instance ?? "", "added.json");
        return new PersistentGuests(file, File.Exists(file) ? ConfigurationFile.ReadFile(file).Shares : []);
    }

    public bool Contains(string guest) => Shares.Any(share => share.Guests.Any(other => other.Name == guest));

    /// <summary>Puts them beside a configuration.</summary>
    /// <exception cref="UsageException">They do not go together.</exception>
    public ServeConfiguration Join(ServeConfiguration configuration)
    {
        GuestConfiguration[] configured = [.. configuration.Shares.SelectMany(share => share.Guests)];
        foreach (GuestConfiguration added in Shares.SelectMany(share => share.Guests))
        {
            if (configured.FirstOrDefault(other => other.Name == added.Name || other.Socket == added.Socket) is { } other)
            {
                string what = other.Name == added.Name ? $"the guest {added.Name}" : $"a guest at {added.Socket}";
                throw new UsageException(
                    $"{_file}, which 'coherencyd admin add --persistent' wrote, and the configuration both have {what}: take it out of " +
                    "one of them");
            }
        }

        ServeConfiguration both = configuration with { Shares = [.. configuration.Shares, .. Shares] };
        ConfigurationFile.Check(both);
        return both;
    }

    /// <summary>When this returns, the next daemon serves them.</summary>
    /// <exception cref="IOException">It cannot be written down.</exception>
    public void Add(ShareConfiguration share)
    {
        lock (_lock)
        {
            Write([.. _shares, share]);
        }
    }

    /// <summary>When this returns, the next daemon does not serve it. Harmless when it was none of them.</summary>
    /// <exception cref="IOException">It cannot be written down.</exception>
    public void Remove(string guest)
    {
        lock (_lock)
        {
            if (Contains(guest))
            {
                Write([.. _shares
                    .Select(share => share with { Guests = [.. share.Guests.Where(other => other.Name != guest)] })
                    .Where(share => share.Guests.Count > 0)]);
            }
        }
    }

    private void Write(IReadOnlyList<ShareConfiguration> shares)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_file)!);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(
            new ServeConfiguration { Shares = shares }, ConfigurationJson.Indented.ServeConfiguration);
        AtomicFile.Write(_file, json, outlivesTheHost: true);
        Volatile.Write(ref _shares, shares);
    }
}
