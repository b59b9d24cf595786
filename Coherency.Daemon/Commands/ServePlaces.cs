using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Instances;

namespace Coherency.Daemon.Commands;

/// <summary>What a daemon has of its host before it serves anybody: its name there, sockets, what the last one of that name left.</summary>
internal sealed class ServePlaces : IDisposable
{
    private ServePlaces(
        ServeConfiguration configuration, InstanceFolder? instance, string withoutInstanceBecause, PersistentGuests? kept,
        ActivatedSockets activated, AdminAddresses administration)
    {
        Configuration = configuration;
        Instance = instance;
        WithoutInstanceBecause = withoutInstanceBecause;
        Kept = kept;
        Activated = activated;
        Administration = administration;
    }

    /// <summary>With the guests that were added persistently.</summary>
    public ServeConfiguration Configuration { get; }

    /// <summary>Null when nobody asked for it and it cannot be had: another daemon is called so.</summary>
    public InstanceFolder? Instance { get; }

    public string WithoutInstanceBecause { get; }

    public PersistentGuests? Kept { get; }

    public ActivatedSockets Activated { get; }

    public AdminAddresses Administration { get; }

    /// <exception cref="UsageException">Something that was asked for cannot be had.</exception>
    public static ServePlaces Take(ServeConfiguration asked)
    {
        ActivatedSockets activated = ActivatedSockets.Take();
        InstanceFolder? instance = null;
        try
        {
            string name = asked.Instance ?? asked.Attach ?? InstanceNames.Default;
            InstanceFolder.CheckName(name);
            ServeConfiguration configuration = activated.Attach is null ? asked : asked with { Attach = name };
            ConfigurationFile.CheckExpected(configuration);
            instance = InstanceFolder.TryTake(name, out string why);
            if (instance is null && (asked.Instance is not null || configuration.Attach is not null))
            {
                throw new UsageException($"{(asked.Instance is null ? "--attach" : $"--instance {name}")}: {why}");
            }

            PersistentGuests? kept = instance is null ? null : PersistentGuests.Read(name == InstanceNames.Default ? null : name);
            configuration = kept?.Join(configuration) ?? configuration;
            ConfigurationFile.CheckServes(configuration);
            AdminAddresses administration = AdminAddresses.Of(configuration.Admin, instance, why, activated.Admin);
            return new ServePlaces(configuration, instance, why, kept, activated, administration);
        }
        catch
        {
            instance?.Dispose();
            activated.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Administration.Dispose();
        Activated.Dispose();
        Instance?.Dispose();
    }
}
