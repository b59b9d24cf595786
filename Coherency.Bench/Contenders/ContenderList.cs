using Coherency.Guest.Daemons;

namespace Coherency.Bench.Contenders;

/// <summary>Decides who is measured. The first is the one that the others are compared with.</summary>
public static class ContenderList
{
    private const string OursName = "coherencyd";

    /// <param name="coherencydPath">coherencyd.dll or a published coherencyd; null to look beside this program.</param>
    /// <param name="virtiofsdPath">Rust virtiofsd; null to take the one that eng/vm/prepare fetched, if it did.</param>
    /// <param name="added">NAME=COMMAND each; replaces a default of the same name.</param>
    /// <param name="without">Names to leave out.</param>
    /// <exception cref="ArgumentException">Nobody is left, or a definition has no '='.</exception>
    public static IReadOnlyList<Contender> Build(string? coherencydPath, string? virtiofsdPath, IEnumerable<string> added, IReadOnlyCollection<string> without)
    {
        List<Contender> contenders = [.. FindDefaults(coherencydPath, virtiofsdPath ?? PeerDaemons.PreparedRustVirtiofsdPath)];
        foreach (Contender contender in added.Select(Parse))
        {
            int index = contenders.FindIndex(known => known.Name == contender.Name);
            if (index >= 0)
            {
                contenders[index] = contender;
            }
            else
            {
                contenders.Add(contender);
            }
        }

        contenders.RemoveAll(contender => without.Contains(contender.Name));
        return contenders.Count > 0 ? contenders : throw new ArgumentException("no daemon to measure: give one with --contender NAME=COMMAND");
    }

    private static IEnumerable<Contender> FindDefaults(string? coherencydPath, string virtiofsdPath)
    {
        string? ours = coherencydPath ?? FindOurs();
        if (ours is not null)
        {
            string program = ours.EndsWith(".dll", StringComparison.Ordinal) ? $"dotnet {ours}" : ours;
            yield return new Contender(OursName, $"{program} serve --shared-dir {{dir}} --guest bench={{socket}} --cache auto", $"{program} --version");
        }

        if (PeerDaemons.HasCVirtiofsd)
        {
            yield return new Contender("virtiofsd-c", PeerDaemons.CVirtiofsdCommand, $"{PeerDaemons.CVirtiofsdPath} --version");
        }

        if (File.Exists(virtiofsdPath))
        {
            yield return new Contender("virtiofsd-rust", PeerDaemons.RustVirtiofsdCommand(virtiofsdPath), $"{virtiofsdPath} --version");
        }
    }

    /// <summary>Beside this program, as published, or where the same build put the daemon.</summary>
    private static string? FindOurs()
    {
        string here = AppContext.BaseDirectory;
        string[] places = [here, here.Replace("Coherency.Bench", "Coherency.Daemon", StringComparison.Ordinal)];
        return places.Select(place => Path.Combine(place, "coherencyd.dll")).FirstOrDefault(File.Exists);
    }

    private static Contender Parse(string definition)
    {
        int equals = definition.IndexOf('=', StringComparison.Ordinal);
        return equals > 0
            ? new Contender(definition[..equals], definition[(equals + 1)..])
            : throw new ArgumentException($"a contender is NAME=COMMAND, not {definition}");
    }
}
