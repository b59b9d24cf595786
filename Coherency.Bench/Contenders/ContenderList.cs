namespace Coherency.Bench.Contenders;

/// <summary>Decides who is measured; ours come first.</summary>
internal static class ContenderList
{
    private static readonly string[] Defaults = ["coherencyd auto", ContenderNames.Coherent, "virtiofsd-rust auto", "virtiofsd-c auto"];

    /// <param name="coherencydPath">coherencyd.dll or a published coherencyd; null to look beside this program.</param>
    /// <param name="virtiofsdPath">Rust virtiofsd; null to take the one that eng/vm/prepare fetched, if it did.</param>
    /// <param name="added">NAME=COMMAND each; replaces a default of the same name.</param>
    /// <param name="without">Names to leave out; the name of a program without its mode stands for all its modes.</param>
    /// <param name="others">Names of contenders of other levels, which may be left out too.</param>
    /// <exception cref="ArgumentException">Nobody is left, a definition is not one, or a name is nobody's.</exception>
    public static ContenderSet Build(
        string? coherencydPath, string? virtiofsdPath, IEnumerable<string> added, IReadOnlyList<string> without,
        IReadOnlyList<string> others)
    {
        OrderedDictionary<string, Contender> present = [];
        List<ContenderDescription> missing = [];
        foreach (string name in Defaults)
        {
            try
            {
                present[name] = Make(name, coherencydPath ?? FindOurs(), virtiofsdPath);
            }
            catch (FileNotFoundException e)
            {
                missing.Add(new ContenderDescription(name, $"not installed ({e.Message})", []));
            }
        }

        foreach (Contender contender in added.Select(Parse))
        {
            missing.RemoveAll(known => known.Name == contender.Name);
            present[contender.Name] = contender;
        }

        string[] known = [.. present.Keys, .. missing.Select(contender => contender.Name), .. others];
        if (without.FirstOrDefault(name => !known.Any(contender => ContenderNames.IsMeant(contender, name))) is { } nobody)
            throw new ArgumentException($"--without: there is no {nobody}; there are {string.Join(", ", known.Distinct())}");
        Contender[] left = [.. present.Values.Where(contender => !IsLeftOut(contender.Name))];
        return left.Length > 0
            ? new ContenderSet(left, [.. missing.Where(contender => !IsLeftOut(contender.Name))])
            : throw new ArgumentException("no daemon to measure: give one with --contender NAME=COMMAND");

        bool IsLeftOut(string contender) => without.Any(name => ContenderNames.IsMeant(contender, name));
    }

    /// <summary>A vhost-user daemon by the name of its program and its mode.</summary>
    /// <param name="coherencydPath">coherencyd.dll or a published coherencyd; null when there is none.</param>
    /// <param name="virtiofsdPath">Rust virtiofsd; null to take the one that eng/vm/prepare fetched, if it did.</param>
    /// <exception cref="FileNotFoundException">It is not on this machine; the message says what to do.</exception>
    public static Contender Make(string name, string? coherencydPath, string? virtiofsdPath = null)
    {
        string[] words = name.Split(' ');
        switch (words[0])
        {
            case "coherencyd":
                string path = coherencydPath ?? throw new FileNotFoundException("build Coherency.Daemon, or give --coherencyd PATH");
                string starter = path.EndsWith(".dll", StringComparison.Ordinal) ? "dotnet " : "";
                return new Contender(
                    name,
                    $"{starter}\"{path}\" serve --shared-dir {{dir}} {{guests}} --num-request-queues {{queues}} --cache {words[1]}",
                    $"{starter}{path} --version",
                    Attaches: name == ContenderNames.Coherent);
            case "virtiofsd-rust":
                string rust = virtiofsdPath ?? PeerDaemons.PreparedRustVirtiofsdPath;
                return File.Exists(rust)
                    ? new Contender(name, PeerDaemons.RustVirtiofsdCommand(rust, words[1]), $"{rust} --version")
                    : throw new FileNotFoundException($"no {rust}: run eng/vm/prepare, or give --virtiofsd PATH");
            default:
                return PeerDaemons.HasCVirtiofsd
                    ? new Contender(name, PeerDaemons.CVirtiofsdCommand(words[1]), $"{PeerDaemons.CVirtiofsdPath} --version")
                    : throw new FileNotFoundException($"no {PeerDaemons.CVirtiofsdPath}: install qemu-system-common of Debian 12");
        }
    }

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
        string command = definition[(equals + 1)..];
        bool hasSocket = command.Contains("{socket}", StringComparison.Ordinal) || command.Contains("{guests}", StringComparison.Ordinal);
        return equals > 0 && hasSocket && command.Contains("{dir}", StringComparison.Ordinal)
            ? new Contender(definition[..equals], command)
            : throw new ArgumentException(
                $"--contender is NAME=COMMAND, with {{dir}} and {{socket}} or {{guests}} in the command, not {definition}");
    }
}
