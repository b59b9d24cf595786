using System.Diagnostics;
using Coherency.Keeper;
using Coherency.Keeper.Listening;
using Coherency.Keeper.Options;
using Coherency.Keeper.Serving;
using Xunit.Abstractions;

namespace Coherency.Tests.Keeper;

/// <summary>The same command lines are accepted and refused as by virtiofsd 1.14, with the same exit codes.</summary>
[Trait("Category", "Vm")]
[Trait("Category", "Root")]
public sealed class CommandLineDifferenceTests(ITestOutputHelper output) : IDisposable
{
    private const int Started = 0;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>A daemon that is told to say nothing has started when it has not ended in that time.</summary>
    private static readonly TimeSpan SilentStart = TimeSpan.FromSeconds(2);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-lines-");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void Every_command_line_is_judged_as_by_virtiofsd()
    {
        string share = _work.CreateSubdirectory("share").FullName;
        string file = Path.Combine(_work.FullName, "file");
        File.WriteAllText(file, "");
        List<string> differences = [];
        HashSet<string> unexpectedlyEqual = [];
        (string Key, string Line)[] lines = [.. CommandLines.All()];
        for (int i = 0; i < lines.Length; i++)
        {
            (string key, string line) = lines[i];
            string[] Words(string socket) =>
                CommandLines.Words(line, share, Path.Combine(_work.FullName, socket), file, Path.Combine(_work.FullName, "missing"));
            int theirs = RunVirtiofsd(Words($"v{i}.sock"));
            int ours = Judge(Words($"k{i}.sock"));
            bool isKnown = CommandLines.ByDesign.ContainsKey(key);
            if (ours != theirs && !isKnown)
            {
                differences.Add($"{line}: virtiofsd {theirs}, ours {ours}");
            }

            if (ours == theirs && isKnown)
            {
                unexpectedlyEqual.Add(key);
            }
        }

        output.WriteLine($"{lines.Length} command lines, {CommandLines.ByDesign.Count} of which differ by design");
        Assert.InRange(lines.Length, 200, int.MaxValue);
        Assert.True(differences.Count == 0, string.Join('\n', differences));
        Assert.True(unexpectedlyEqual.Count == 0, $"no difference after all: {string.Join(", ", unexpectedlyEqual)}");
    }

    /// <summary>Rules put together by chance, right and wrong ones.</summary>
    [Fact]
    public void Every_rule_of_translation_is_judged_as_by_virtiofsd()
    {
        string share = _work.CreateSubdirectory("rules").FullName;
        Random random = new(20);
        int accepted = 0;
        List<string> differences = [];
        for (int i = 0; i < 150; i++)
        {
            string[] rules = i % 2 == 0 ? RandomRules.Ids(random) : RandomRules.Names(random);
            string[] Words(string socket) => ["--shared-dir", share, "--socket-path", Path.Combine(_work.FullName, socket), .. rules];
            int theirs = RunVirtiofsd(Words($"rv{i}.sock"));
            int ours = Judge(Words($"rk{i}.sock"));
            accepted += ours == Started ? 1 : 0;
            // It dies of rules that are about no attribute.
            if (ours != theirs && theirs is Started or RefusedException.Failed or RefusedException.Usage)
            {
                differences.Add($"{string.Join(' ', rules)}: virtiofsd {theirs}, ours {ours}");
            }
        }

        output.WriteLine($"{accepted} of 150 accepted");
        Assert.True(differences.Count == 0, string.Join('\n', differences));
        Assert.InRange(accepted, 30, 120);
    }

    /// <summary>What the program exits with, or 0 when it would wait for a VMM.</summary>
    internal static int Judge(string[] words)
    {
        try
        {
            if (VirtiofsdCommand.Parse(words).Options is { } options)
            {
                GuestKeeper.Check(options);
                VmmListener.Open(options).Dispose();
                GuestServing.RefuseConfinement(options);
            }

            return Started;
        }
        catch (RefusedException refused)
        {
            Assert.NotEmpty(refused.Message);
            return refused.ExitCode;
        }
    }

    private static int RunVirtiofsd(string[] words)
    {
        using CompanionProcess process = CompanionProcess.Start(PeerDaemons.PreparedRustVirtiofsdPath, words);
        Stopwatch waited = Stopwatch.StartNew();
        while (!process.HasExited)
        {
            bool isSilent = waited.Elapsed > SilentStart && words.Any(
                word => word is "off" or "error" or "warn" or "loglevel=err" or "loglevel=warn");
            if (isSilent || process.Output.Contains(KeeperProcess.ReadyLine, StringComparison.Ordinal))
            {
                return Started;
            }

            Assert.True(waited.Elapsed < Patience, process.Output);
            Thread.Sleep(1);
        }

        return process.WaitForExit(Patience);
    }
}
