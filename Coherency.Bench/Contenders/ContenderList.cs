using Coherency.Bench.Guests;
using Coherency.Bench.Results;
using Coherency.Guest.Daemons;

namespace Coherency.Bench.Contenders;

/// <summary>Decides who is measured; ours come first.</summary>
internal static class ContenderList
{
    private const string OursAuto = "coherencyd auto";
    private const string OursCoherent = "coherencyd coherent";
    private const string PeerInC = "virtiofsd-c auto";
    private const string PeerInRust = "virtiofsd-rust auto";

    /// <param name="coherencydPath">coherencyd.dll or a published coherencyd; null to look beside this program.</param>
    /// <param name="virtiofsdPath">Rust virtiofsd; null to take the one that eng/vm/prepare fetched, if it did.</param>
    /// <param name="added">NAME=COMMAND each; replaces a default of the same name.</param>
    /// <param name="without">Names to leave out; the name of a program without its mode stands for all its modes.</param>
    /// <exception cref="ArgumentException">Nobody is left, a definition is not one, or a name is nobody's.</exception>
    public static ContenderSet Build(string? coherencydPath, string? virtiofsdPath, IEnumerable<string> added, IReadOnlyList<string> without)
    {
        List<Contender> contenders = [];
        List<ContenderDescription> missing = [];
        AddOurs(coherencydPath ?? FindOurs(), contenders, missing);
        AddPeers(virtiofsdPath ?? PeerDaemons.PreparedRustVirtiofsdPath, contenders, missing);
        foreach (Contender contender in added.Select(Parse))
        {
            missing.RemoveAll(known => known.Name == contender.Name);
            int index = contenders.FindIndex(known => known.Name == contender.Name);
            contenders.Insert(index < 0 ? contenders.Count : index, contender);
            contenders.RemoveAll(known => known.Name == contender.Name && !ReferenceEquals(known, contender));
        }

        CheckNames(without, [.. contenders.Select(contender => contender.Name), .. missing.Select(contender => contender.Name), .. GuestContenders.Names]);
        contenders.RemoveAll(contender => without.Any(name => IsMeant(contender.Name, name)));
        missing.RemoveAll(contender => without.Any(name => IsMeant(contender.Name, name)));
        return contenders.Count > 0
            ? new ContenderSet(contenders, missing)
            : throw new ArgumentException("no daemon to measure: give one with --contender NAME=COMMAND");
    }

    private static void AddOurs(string? path, List<Contender> contenders, List<ContenderDescription> missing)
    {
        if (path is null)
        {
            missing.Add(NotInstalled(OursAuto, "build Coherency.Daemon, or give --coherencyd PATH"));
            return;
        }

        string program = path.EndsWith(".dll", StringComparison.Ordinal) ? $"dotnet \"{path}\"" : $"\"{path}\"";
        string serve = $"{program} serve --shared-dir {{dir}} {{guests}} --num-request-queues {{queues}} --cache";
        string version = path.EndsWith(".dll", StringComparison.Ordinal) ? $"dotnet {path} --version" : $"{path} --version";
        contenders.Add(new Contender(OursAuto, $"{serve} auto", version));
        contenders.Add(new Contender(OursCoherent, $"{serve} coherent", version, Attaches: true));
    }

    private static void AddPeers(string virtiofsdPath, List<Contender> contenders, List<ContenderDescription> missing)
    {
        if (File.Exists(virtiofsdPath))
        {
            contenders.Add(new Contender(PeerInRust, PeerDaemons.RustVirtiofsdCommand(virtiofsdPath), $"{virtiofsdPath} --version"));
        }
        else
        {
            missing.Add(NotInstalled(PeerInRust, $"no {virtiofsdPath}: run eng/vm/prepare, or give --virtiofsd PATH"));
        }

        if (PeerDaemons.HasCVirtiofsd)
        {
            contenders.Add(new Contender(PeerInC, PeerDaemons.CVirtiofsdCommand, $"{PeerDaemons.CVirtiofsdPath} --version"));
        }
        else
        {
            missing.Add(NotInstalled(PeerInC, $"no {PeerDaemons.CVirtiofsdPath}: install qemu-system-common of Debian 12"));
        }
    }

    private static ContenderDescription NotInstalled(string name, string remedy) => new(name, $"not installed ({remedy})", []);

    /// <summary>Beside this program, as published, or where the same build put the daemon.</summary>
    public static string? FindOurs()
    {
        string here = AppContext.BaseDirectory;
        string[] places = [here, here.Replace("Coherency.Bench", "Coherency.Daemon", StringComparison.Ordinal)];
        return places.Select(place => Path.Combine(place, "coherencyd.dll")).FirstOrDefault(File.Exists);
    }

    private static Contender Parse(string definition)
    {
        int equals = definition.IndexOf('=', StringComparison.Ordinal);
        string name = equals > 0 ? definition[..equals] : "";
        string command = definition[(equals + 1)..];
        bool hasSocket = command.Contains("{socket}", StringComparison.Ordinal) || command.Contains("{guests}", StringComparison.Ordinal);
        return name.Length > 0 && hasSocket && command.Contains("{dir}", StringComparison.Ordinal)
            ? new Contender(name, command)
            : throw new ArgumentException($"--contender is NAME=COMMAND, with {{dir}} and {{socket}} or {{guests}} in the command, not {definition}");
    }

    private static void CheckNames(IReadOnlyList<string> without, string[] known)
    {
        foreach (string name in without.Where(name => !known.Any(contender => IsMeant(contender, name))))
        {
            throw new ArgumentException($"--without: there is no {name}; there are {string.Join(", ", known.Distinct())}");
        }
    }

    /// <summary>Is a contender meant by a name, which may lack the mode?</summary>
    public static bool IsMeant(string contender, string name) =>
        contender == name || contender.StartsWith(name + " ", StringComparison.Ordinal);
}
