using Coherency.Core.VhostUser;
using Coherency.Guest.VhostUser;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>A VMM that breaks the vhost-user protocol, or goes away: its session ends, nothing of it stays, nobody else notices.</summary>
public sealed class HostileConnectionTests(HostileTestBed bed) : IClassFixture<HostileTestBed>
{
    public static TheoryData<string> AttackNames => [.. ConnectionAttacks.All.Select(attack => attack.Name)];

    [Theory]
    [MemberData(nameof(AttackNames))]
    public void An_attack_ends_the_attackers_session_only(string name)
    {
        ConnectionAttack attack = ConnectionAttacks.All.Single(a => a.Name == name);
        bed.Log.Clear();
        Run(bed, attack);
        if (attack.Logged is not null)
        {
            bed.ExpectLogged(attack.Logged);
        }

        bed.ExpectHonestGuestWorks();
        bed.WaitForCleanup();
    }

    /// <summary>Runs an attack; that the daemon hangs up in the middle is part of it.</summary>
    internal static void Run(HostileTestBed bed, ConnectionAttack attack)
    {
        using VhostUserFrontend frontend = bed.Connect();
        try
        {
            attack.Run(frontend);
        }
        catch (IOException)
        {
            // The daemon hung up.
        }
    }
}
