import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentCaller } from '../access/current-actor.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { FingerprintParam } from './fingerprint-param.decorator';
import { ListStatementsQuery, PlanStatementQuery, StatementPlanDto, StatementsDto } from './statement.dto';
import { StatementsService } from './statements.service';

@Controller('v1/platform/database/statements')
@ApiTags('platform')
export class StatementsController {
  constructor(private readonly statements: StatementsService) {}

  @Get()
  @ApiOperation({ operationId: 'listStatements', summary: 'List the statements that take most of the time' })
  @Can('read-database', 'Platform')
  @ApiOkResponse({ type: StatementsDto })
  list(@Query() query: ListStatementsQuery): Promise<StatementsDto> {
    return this.statements.list(query);
  }

  @Get(':fingerprint/plan')
  @ApiOperation({ operationId: 'planStatement', summary: 'Read how PostgreSQL would run a statement; it is not run' })
  @Can('read-database', 'Platform')
  @ApiOkResponse({ type: StatementPlanDto })
  @ApiProblem('statement_not_plannable')
  plan(
    @CurrentCaller() caller: Caller,
    @FingerprintParam() fingerprint: string,
    @Query() query: PlanStatementQuery,
  ): Promise<StatementPlanDto> {
    return this.statements.plan(caller, fingerprint, query.login);
  }
}
