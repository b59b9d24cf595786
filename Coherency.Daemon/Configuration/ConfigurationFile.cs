using System.Numerics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Daemon.Configuration;

/// <summary>Reads and judges configurations, wherever they come from.</summary>
public static class ConfigurationFile
{
    private const int TagBytesMax = 36;
    private const string TableExtension = ".table";
    private const int QueuesMax = 64;
    private const int ThreadPoolSizeMax = 64;
    private const int PollMicrosecondsMax = 10_000;

    /// <param name="path">
    /// A file, or a directory, all of whose files NAME.json are read, and then those of conf.d in it, in the order of their names.
    /// </param>
    /// <param name="isStandard">Nobody named it: where it is not, nothing is said.</param>
    /// <exception cref="UsageException">A file cannot be read or says something impossible; the message says where.</exception>
    public static ServeConfiguration Read(string path, bool isStandard = false)
    {
        string source = Path.GetFullPath(path);
        ServeConfiguration configuration = Directory.Exists(source) || isStandard ? ReadDirectory(source, isStandard) : ReadFile(source);
        Check(configuration);
        return configuration with { Source = new ConfigurationSource(source, configuration, isStandard) };
    }

    /// <summary>Shares are put together; of everything else, one file says it.</summary>
    private static ServeConfiguration ReadDirectory(string path, bool mayBeEmpty)
    {
        string[] files = [.. FilesIn(path), .. FilesIn(Path.Combine(path, "conf.d"))];
        if (files.Length == 0 && !mayBeEmpty)
        {
            throw new UsageException($"{path} has no file NAME.json");
        }

        ServeConfiguration[] parts = [.. files.Select(ReadFile)];
        return new ServeConfiguration
        {
            Shares = [.. parts.SelectMany(part => part.Shares)],
            Admin = Only("admin", part => part.Admin == new AdminConfiguration() ? null : part.Admin) ?? new AdminConfiguration(),
            Dashboard = Only("dashboard", part => part.Dashboard),
            Attach = Only("attach", part => part.Attach),
            Instance = Only("instance", part => part.Instance),
            Expect = [.. parts.SelectMany(part => part.Expect)],
            Metrics = Only("metrics", part => part.Metrics),
        };

        T? Only<T>(string what, Func<ServeConfiguration, T?> of)
            where T : class
        {
            (T? Said, string File)[] said = [.. parts.Select(of).Zip(files).Where(one => one.First is not null)];
            return said.Length <= 1
                ? said.FirstOrDefault().Said
                : throw new UsageException($"{said[0].File} and {said[1].File} both say what {what} is: only one of them may");
        }
    }

    private static IEnumerable<string> FilesIn(string directory) =>
        Directory.Exists(directory) ? Directory.GetFiles(directory, "*.json").Order(StringComparer.Ordinal) : [];

    internal static ServeConfiguration ReadFile(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, ConfigurationJson.Default.ServeConfiguration)
                ?? throw new UsageException($"{path} holds nothing");
        }
        catch (JsonException malformed)
        {
            throw new UsageException($"{path}, line {malformed.LineNumber + 1}: {malformed.Message}");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cannot read {path}: {unreadable.Message}");
        }
    }

    /// <summary>Refuses a daemon that would have nothing to do.</summary>
    /// <exception cref="UsageException">It would.</exception>
    public static void CheckServes(ServeConfiguration configuration)
    {
        if (configuration.Shares.Count == 0 && configuration.Attach is null)
        {
            string where = configuration.Source is { } source ? $" in {source.Path}" : "";
            throw new UsageException($"no share is configured{where}: give at least one, or let keepers attach guests (--attach)");
        }
    }

    /// <summary>Checks what types cannot.</summary>
    /// <exception cref="UsageException">Something is impossible.</exception>
    public static void Check(ServeConfiguration configuration)
    {
        foreach (ExpectedGuest guest in configuration.Expect)
        {
            CheckTag(guest.Tag, guest.Name);
            if (configuration.Expect.Count(other => other.Name == guest.Name) > 1)
            {
                throw new UsageException($"{guest.Name} is expected twice: say it once, with one tag");
            }
        }

        if (configuration is { Instance: { } instance, Attach: { } attach } && instance != attach)
        {
            throw new UsageException(
                $"the daemon's instance is {instance} (--instance), so that keepers cannot find it as {attach} (--attach)");
        }

        foreach (ShareConfiguration share in configuration.Shares)
        {
            Check(share);
        }

        RefuseTwice(configuration, g => g.Name, "name");
        RefuseTwice(configuration, g => Path.GetFullPath(g.Socket), "socket");
    }

    private static void Check(ShareConfiguration share)
    {
        if (share.Guests.Count == 0)
        {
            throw new UsageException($"share {share.SharedDir} has no guest: give at least one (--guest NAME=SOCKET)");
        }

        foreach (GuestConfiguration guest in share.Guests)
        {
            CheckTag(TagOf(share, guest), guest.Name);
            CheckRange("num-request-queues", guest.NumRequestQueues ?? share.NumRequestQueues, 1, QueuesMax);
            CheckRange("thread-pool-size", guest.ThreadPoolSize ?? share.ThreadPoolSize, 0, ThreadPoolSizeMax);
            CheckRange("poll-us", guest.PollUs ?? share.PollUs, 0, PollMicrosecondsMax);
        }

        CheckTimeouts(share);
        CheckTranslation(share);
        CheckTable(share);
    }

    /// <exception cref="UsageException">Guests are expected that cannot come.</exception>
    public static void CheckExpected(ServeConfiguration configuration)
    {
        if (configuration.Expect.Count > 0 && configuration.Attach is null)
        {
            throw new UsageException($"{configuration.Expect[0].Name} is expected, but keepers may not attach guests: give --attach too");
        }
    }

    private static void CheckTag(string tag, string guest)
    {
        int tagBytes = System.Text.Encoding.UTF8.GetByteCount(tag);
        if (tagBytes is 0 or > TagBytesMax)
        {
            throw new UsageException($"tag '{tag}' of guest {guest} has {tagBytes} bytes: 1 to {TagBytesMax} are possible (--tag)");
        }
    }

    /// <summary>Also for shares that are mounted on the host.</summary>
    internal static void CheckTranslation(ShareConfiguration share)
    {
        _ = share.ToTranslation();
        if (share.Xattrmap is not null && !share.Xattr)
        {
            throw new UsageException("--xattrmap names extended attributes, of which --no-xattr serves none");
        }

        if (share.SecurityLabel && !share.Xattr)
        {
            throw new UsageException("--security-label keeps labels in extended attributes, of which --no-xattr serves none");
        }
    }

    private static void CheckTable(ShareConfiguration share)
    {
        if (!VersionTableLayout.IsSlotCount(share.TableSlots))
        {
            throw new UsageException(
                $"--table-slots {share.TableSlots}: a power of two from {VersionTableConstants.SlotsMin} to " +
                $"{VersionTableConstants.SlotsMax} is possible");
        }

        long tableBytes = VersionTableLayout.MemoryBytes(share.TableSlots);
        DaxSettings.Check(share);
        long windowBytes = (long)share.DaxWindowMib << 20;
        if (share.DaxWindowMib != 0 && !SharedMemoryLayout.IsPossible(windowBytes, tableBytes))
        {
            throw new UsageException(
                $"--dax-window {share.DaxWindowMib}: a power of two from {SharedMemoryLayout.SumMin(tableBytes) >> 20} to " +
                $"{SharedMemoryLayout.SumMax(tableBytes) >> 20} is possible beside a table of {share.TableSlots} slots: give " +
                $"{SharedMemoryLayout.Nearest(windowBytes, tableBytes) >> 20}");
        }

        CheckSameFiles([share]);
    }

    /// <summary>Checks shares that reach the same files: what one of them is told cannot be untrue of another.</summary>
    /// <exception cref="UsageException">They do not go together.</exception>
    internal static void CheckSameFiles(IReadOnlyList<ShareConfiguration> shares)
    {
        string names = string.Join(" and ", shares.Select(share => share.SharedDir));
        if (shares.Select(share => share.InodeFileHandles).Distinct().Count() > 1)
        {
            throw new UsageException($"{names} reach the same files: give both the same --inode-file-handles");
        }

        DaxSettings.CheckAlone(shares);
        bool anyCoherent = shares.Any(share => share.Guests.Any(guest => CacheOf(share, guest) == CacheMode.Coherent));
        int writers = shares.Sum(
            share => share.Guests.Count(guest => !(guest.Readonly ?? share.Readonly)) + (share.Readonly ? 0 : share.Mounts.Count));
        if (anyCoherent && writers > 1 && shares.Any(share => share.Writeback))
        {
            throw new UsageException(
                "--writeback keeps what a guest wrote in that guest, where no version can tell the others of it: with --cache coherent " +
                $"it is possible only if one guest writes {names}. Give --cache auto, or make the others read-only");
        }
    }

    /// <summary>What the guest may cache.</summary>
    public static CacheMode CacheOf(ShareConfiguration share, GuestConfiguration guest) => guest.Cache ?? share.Cache;

    /// <summary>Somebody caches what changes beside the daemon would make stale.</summary>
    internal static bool NeedsWatch(ShareConfiguration share) => share.Cache == CacheMode.Coherent || share.Mounts.Count > 0
        || share.Guests.Any(guest => CacheOf(share, guest) == CacheMode.Coherent);

    /// <summary>Where the guest's version table is.</summary>
    public static string TablePathOf(ShareConfiguration share, GuestConfiguration guest) =>
        Path.GetFullPath(
            share.TableDir is null ? guest.Socket + TableExtension : Path.Combine(share.TableDir, guest.Name + TableExtension));

    /// <summary>What the guest mounts.</summary>
    public static string TagOf(ShareConfiguration share, GuestConfiguration guest) =>
        guest.Tag ?? share.Tag ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(share.SharedDir)));

    /// <summary>Also for shares that are mounted on the host.</summary>
    internal static void CheckTimeouts(ShareConfiguration share)
    {
        foreach (double? seconds in (double?[])[share.EntryTimeout, share.AttrTimeout, share.NegativeTimeout])
        {
            if (seconds is < 0 or > int.MaxValue || seconds is { } value && !double.IsFinite(value))
            {
                throw new UsageException($"a timeout of {seconds} seconds: 0 to {int.MaxValue} are possible");
            }
        }
    }

    private static void CheckRange(string option, int value, int min, int max)
    {
        if (value < min || value > max)
        {
            throw new UsageException($"--{option} {value}: {min} to {max} are possible");
        }
    }

    private static void RefuseTwice(ServeConfiguration configuration, Func<GuestConfiguration, string> key, string what)
    {
        IGrouping<string, GuestConfiguration>? twice = configuration.Shares
            .SelectMany(share => share.Guests)
            .GroupBy(key)
            .FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
        {
            throw new UsageException($"{twice.Count()} guests have the {what} {twice.Key}: each needs its own");
        }
    }
}

/// <summary>As the command line spells them; read in any case, and no numbers.</summary>
internal sealed class NameConverter<TEnum>() : JsonStringEnumConverter<TEnum>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where TEnum : struct, Enum;

/// <summary>How configurations look as JSON: camel case, comments and trailing commas allowed, unknown names refused.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    Converters = [typeof(NameConverter<CacheMode>), typeof(NameConverter<InodeFileHandles>)],
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ServeConfiguration))]
internal sealed partial class ConfigurationJson : JsonSerializerContext
{
    /// <summary>For people, and without what nobody has said.</summary>
    public static ConfigurationJson Indented => field ??= new(new JsonSerializerOptions(Default.Options)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    });
}
