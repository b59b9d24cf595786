using System.Text;

namespace Coherency.Tests.Oracle;

/// <summary>Ways to a share. The reference has only one.</summary>
public enum Client
{
    /// <summary>A guest with the module.</summary>
    First,

    /// <summary>Another guest with the module.</summary>
    Second,

    /// <summary>The kernel's own virtiofs, which may not cache anything; in the second guest's machine.</summary>
    Stock,

    /// <summary>A mount of the daemon on the host.</summary>
    Mount,

    /// <summary>A program of the host, in the shared directory itself.</summary>
    Host,

    /// <summary>A guest in this process that caches by the version table.</summary>
    UserSpace,
}

/// <summary>Who carries out calls.</summary>
/// <param name="Groups">Supplementary ones, joined by commas.</param>
/// <param name="Mask">Its umask, octal.</param>
public sealed record Actor(int Number, Client Client, int User, int Group, string Groups, string Mask)
{
    public override string ToString() => $"{Number} {Client.ToString().ToLowerInvariant()} uid={User}:{Group} groups={Groups} umask={Mask}";
}

/// <summary>A call as eng/vm/guest-calls.c takes it.</summary>
public sealed record Call(int Actor, string Text)
{
    /// <summary>The client's kernel gives up its caches; nothing happens in the reference.</summary>
    public const string Drop = "drop";

    public string Name => Text.Split(' ')[0];
}

/// <summary>Calls one after the other, and those who carry them out.</summary>
public sealed record Schedule(IReadOnlyList<Actor> Actors, IReadOnlyList<Call> Calls)
{
    /// <summary>Most calls that are sent to an actor in one message.</summary>
    private const int BurstMax = 8;

    public Actor ActorOf(Call call) => Actors.Single(actor => actor.Number == call.Actor);

    /// <summary>Without actors that do nothing.</summary>
    public Schedule Trim() => this with { Actors = [.. Actors.Where(actor => Calls.Any(call => call.Actor == actor.Number))] };

    /// <summary>Ranges of calls that one actor carries out one after the other.</summary>
    public IEnumerable<Range> Bursts()
    {
        for (int start = 0, end; start < Calls.Count; start = end)
        {
            for (end = start + 1; end < Calls.Count && end - start < BurstMax && GoTogether(Calls[start], Calls[end]); end++)
            {
            }

            yield return start..end;
        }
    }

    public override string ToString()
    {
        StringBuilder text = new();
        foreach (Actor actor in Actors)
        {
            text.AppendLine($"  actor {actor}");
        }

        foreach (Call call in Calls)
        {
            text.AppendLine($"  {call.Actor} {ActorOf(call).Client.ToString().ToLowerInvariant(),-6} {call.Text}");
        }

        return text.ToString();
    }

    private static bool GoTogether(Call first, Call next) => first.Actor == next.Actor && first.Text != Call.Drop && next.Text != Call.Drop;
}

/// <summary>Where a share was not what one local file system is.</summary>
/// <param name="Step">Of the schedule's calls.</param>
/// <param name="Field">Of the answer, or its number; what is compared when a schedule is shrunk.</param>
public sealed record Difference(int Step, string Call, string Field, string Expected, string Got)
{
    /// <summary>Of the same kind, whatever the names and numbers.</summary>
    public bool IsLike(Difference? other) =>
        other is not null && other.Call.Split(' ')[0] == Call.Split(' ')[0] && other.Field == Field
        && ErrorOf(other.Expected) == ErrorOf(Expected) && ErrorOf(other.Got) == ErrorOf(Got);

    private static string ErrorOf(string answer) => answer is ['E', ..] ? answer : "";

    public override string ToString() => $"step {Step}: {Call}\n    {Field}\n    expected {Expected}\n    got      {Got}\n";
}
